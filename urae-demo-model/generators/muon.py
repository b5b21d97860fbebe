"""The optimizer of the blocks' matrices, for both trainings of the demonstration checkpoint."""
import torch


class Muon(torch.optim.Optimizer):
    """Momentum with orthogonal updates for the blocks' matrices, of AdamW's size, so that both share a learning rate, a number
    or, so that a captured step may follow it, a tensor."""

    def __init__(self, parameters, lr):
        super().__init__(parameters, {"lr": lr})
        self.shapes = {}
        for p in self.param_groups[0]["params"]:
            self.shapes.setdefault(tuple(p.shape), []).append(p)

    @torch.no_grad()
    def step(self):
        rate = self.param_groups[0]["lr"]
        for shape, parameters in self.shapes.items():
            gradients = [p.grad for p in parameters]
            momenta = [self.state[p].setdefault("momentum", torch.zeros_like(p)) for p in parameters]
            torch._foreach_lerp_(momenta, gradients, 0.05)
            x = torch.stack(torch._foreach_lerp(gradients, momenta, 0.95))
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
            for _ in range(4):
                a = x @ x.mT
                b = torch.baddbmm(a, a, a, beta=-4.7750, alpha=2.0315)
                x = torch.baddbmm(x, b, x, beta=3.4445)
            x = x.mT if tall else x
            torch._foreach_sub_(parameters, list((x * (rate * 0.2 * max(shape) ** 0.5)).unbind(0)))
