"""Sharpness-aware minimisation (Foret et al. 2020; section 2.2): weights whose neighbours do well too.

    ε(w) = ρ · g / |g|;   the step taken at w uses the gradient at w + ε(w)

g  gradient of the loss at w, over all parameters together; ρ  radius, 0.05. Not adaptive.
g / |g| does not feel a loss scale, so a scaled gradient (AMP) climbs to the same place.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.optim import Optimizer


class SharpnessAware:
    """The two moves around the second pass: `climb` to w + ε, `descend` back to w.

    Args:
        rho: radius ρ of the neighbourhood.

    Raises:
        ValueError: `rho` is not positive.
    """

    def __init__(self, *, rho: float = 0.05) -> None:
        if rho <= 0:
            raise ValueError(f"rho is the radius of a neighbourhood and must be positive, not {rho}.")
        self.rho = rho
        self._origin: list[tuple[Tensor, Tensor]] = []

    @torch.no_grad()
    def climb(self, optimizer: Optimizer) -> bool:
        """Moves the optimizer's parameters by ρ·g/|g|.

        Returns:
            False when the gradient is zero or not finite, in which case nothing moved.
        """
        moved = [p for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        if not moved:
            return False
        norm = torch.stack([p.grad.float().norm() for p in moved]).norm()
        if not bool(torch.isfinite(norm)) or float(norm) == 0.0:
            return False
        for p in moved:
            self._origin.append((p, p.clone()))
            p.add_(p.grad * (self.rho / norm).to(p.grad))
        return True

    @torch.no_grad()
    def descend(self) -> None:
        """Puts the parameters back, to the bit; the gradients stay those of the second pass."""
        for p, before in self._origin:
            p.copy_(before)
        self._origin.clear()
