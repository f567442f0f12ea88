# SPDX-License-Identifier: Apache-2.0
"""What GESCO's paper network learns by: its hybrid loss, which teaches the variance too.

Nichol and Dhariwal, "Improved denoising diffusion probabilistic models", ICML 2021, arXiv
2102.09672, cited below as ID; equations 13 and 15 there are the variance and the loss. The norm of
GESCO's equation 9 and the order of the divergence in its equation 10 are `NORMS` and `DIVERGENCES`.
"""

from __future__ import annotations

import math

import torch
from torch.distributions import Normal, kl_divergence

from semcom_ros.codecs.gesco.paper.sampling import STEPS

BOUND_WEIGHT = 0.001
"""lambda of the hybrid loss, on a bound that sums over all steps (ID, section 3.1)."""
NORMS = ("squared", "plain")
"""Of the error of the noise: squared, as the bound of Ho et al. and the released code have it, or
its root."""
DIVERGENCES = ("forward", "reverse")
"""Of a step back: KL(q || p) from the true posterior q, which bounds the likelihood and which the
released code computes, or KL(p || q)."""
HALF_LEVEL = 1 / 255
"""Half of the distance of two levels of an 8-bit image in -1..1."""


def hybrid_loss(
    output: torch.Tensor,
    clean: torch.Tensor,
    noise: torch.Tensor,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    alphas_cumprod: torch.Tensor,
    norm: str = "squared",
    divergence: str = "forward",
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean squared error of the noise, and the variational bound in bits a dimension: both [B].

    output: the network's, [B, 6, H, W]. clean in -1..1, noise and noisy: [B, 3, H, W]. steps: [B].
    alphas_cumprod: [STEPS], the scheduler's. The loss is the error plus `BOUND_WEIGHT` times the
    bound (ID, equation 15). The bound teaches the variance alone: its mean passes no gradient.
    norm, divergence: of `NORMS` and `DIVERGENCES`; the plain norm's error is the root of the mean.
    """
    epsilon, fraction = output.float().chunk(2, 1)
    error = (epsilon - noise).square().mean((1, 2, 3))
    error = error.sqrt() if norm == "plain" else error
    bound = variational_bound(
        epsilon.detach(), fraction, clean, noisy, steps, alphas_cumprod, divergence
    )
    return error, bound


def variational_bound(
    epsilon: torch.Tensor,
    fraction: torch.Tensor,
    clean: torch.Tensor,
    noisy: torch.Tensor,
    steps: torch.Tensor,
    alphas_cumprod: torch.Tensor,
    divergence: str = "forward",
) -> torch.Tensor:
    """`STEPS` times the term of the bound at `steps`, an estimate of their sum: bits, [B].

    KL(q(x_{t-1} | x_t, x_0) || p(x_{t-1} | x_t)) for t > 0 (ID, equation 6; Ho et al. 2020,
    "Denoising diffusion probabilistic models", equations 6 and 7), and at t = 0 the negative
    log-likelihood of the 8-bit image (Ho et al., equation 13). divergence: the order of the two.
    """
    now = _at(alphas_cumprod, steps)
    before = torch.where(steps[:, None, None, None] > 0, _at(alphas_cumprod, steps - 1), 1.0)
    guessed = (noisy - (1 - now).sqrt() * epsilon) / now.sqrt()
    beta = 1 - now / before
    of_clean = before.sqrt() * beta / (1 - now)
    of_noisy = (now / before).sqrt() * (1 - before) / (1 - now)
    deviation = (log_variance(fraction, steps, alphas_cumprod) / 2).exp()
    found = Normal(of_clean * guessed + of_noisy * noisy, deviation, validate_args=False)

    least = log_variance(-torch.ones_like(beta), steps, alphas_cumprod)
    true = Normal(of_clean * clean + of_noisy * noisy, (least / 2).exp(), validate_args=False)
    pair = (true, found) if divergence == "forward" else (found, true)
    nats = torch.where(
        steps[:, None, None, None] > 0,
        kl_divergence(*pair),
        -_log_likelihood(found, clean),
    )
    return STEPS * nats.mean((1, 2, 3)) / math.log(2)


def log_variance(
    fraction: torch.Tensor, steps: torch.Tensor, alphas_cumprod: torch.Tensor
) -> torch.Tensor:
    """Log variance of a step back, from the network's `fraction`, -1 to 1: [B, 3, H, W].

    Between that of the true posterior at -1 and beta at 1 (ID, equation 13). Step 0's posterior
    has no variance; it borrows that of step 1.
    """
    now, before = _at(alphas_cumprod, steps), _at(alphas_cumprod, steps - 1)
    beta = torch.where(steps[:, None, None, None] > 0, 1 - now / before, 1 - now)
    late = steps.clamp(min=1)
    now, before = _at(alphas_cumprod, late), _at(alphas_cumprod, late - 1)
    posterior = (1 - now / before) * (1 - before) / (1 - now)
    share = (fraction + 1) / 2
    return share * beta.log() + (1 - share) * posterior.log()


def _at(values: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """values[steps], [B, 1, 1, 1]."""
    return values[steps][:, None, None, None]


def _log_likelihood(found: Normal, image: torch.Tensor) -> torch.Tensor:
    """Log chance of the 8-bit levels of `image`, in -1..1; black and white take the tails."""
    below = found.cdf(image - HALF_LEVEL).where(image > -1 + HALF_LEVEL, 0.0)
    above = found.cdf(image + HALF_LEVEL).where(image < 1 - HALF_LEVEL, 1.0)
    return (above - below).clamp(min=1e-12).log()
