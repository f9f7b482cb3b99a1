"""Perturb weights for sharpness-aware minimisation (SAM, Foret et al. 2020; section 2.2).

    ε(w) = ρ · g / |g|;   the step taken at w uses the gradient at w + ε(w)

g  gradient of the loss at w, over all parameters together; ρ  radius, 0.05. Not adaptive.
g / |g| does not depend on the loss scale, so AMP needs no unscaling before the perturbation.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


class SharpnessAware:
    """Perturbation for the second pass: `ascend` moves the weights to w + ε, `restore` moves them back to w.

    Args:
        rho: radius ρ of the neighbourhood.

    Raises:
        ValueError: `rho` is not positive.
    """

    def __init__(self, *, rho: float = 0.05) -> None:
        if rho <= 0:
            raise ValueError(f"rho, the radius of the neighbourhood, must be positive, not {rho}.")
        self.rho = rho
        self._origin: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def ascend(self, optimizer: Optimizer) -> bool:
        """Move the optimizer's parameters by ρ·g/|g|.

        Returns:
            False if the gradient is zero or not finite; the parameters are then unchanged.
        """
        parameters = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not parameters:
            return False
        norm = torch.stack([p.grad.float().norm() for p in parameters]).norm()
        if not bool(torch.isfinite(norm)) or float(norm) == 0.0:
            return False
        for p in parameters:
            self._origin.append((p, p.clone()))
            p.add_(p.grad * (self.rho / norm).to(p.grad))
        return True

    @torch.no_grad()
    def restore(self) -> None:
        """Restore the parameters exactly; the gradients remain those of the second pass."""
        for p, weight in self._origin:
            p.copy_(weight)
        self._origin.clear()
