"""A faster gradient for X3D's depthwise 3-D convolutions on a CPU.

oneDNN's backward pass of a depthwise 3-D convolution takes most of X3D's training step. Exactly the same gradient is a
sum of time-shifted depthwise 2-D gradients, which oneDNN computes several times faster; `benchmarks/training_step.py`
times both.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _ShiftedDepthwise(torch.autograd.Function):
    """conv3d(groups=channels) whose backward pass is a depthwise 2-D convolution for each tap in time."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.nn.functional.conv3d(
            x, weight, None, (1, stride, stride), (weight.shape[2] // 2, padding, padding), groups=len(weight)
        )

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None, None]:
        x, weight = ctx.saved_tensors
        (grad,) = gradients
        dtype = x.dtype
        if ctx.stride > 1 or weight.shape[-1] == 1:
            # oneDNN has only a slow reference kernel in bfloat16 for these shapes.
            x, weight, grad = x.float(), weight.float(), grad.float()
        taps, frames = weight.shape[2], x.shape[2]
        # Channels last throughout: a copy in channels-first order would cost the time that this saves.
        x_last, grad_last = (t.permute(0, 2, 3, 4, 1).contiguous() for t in (x, grad))
        x_grad, weight_grad = torch.zeros_like(x_last), torch.empty_like(weight)
        for tap in range(taps):
            shift = tap - taps // 2
            start, stop = max(0, shift), min(frames, frames + shift)
            inputs = x_last[:, start:stop]
            outputs = grad_last[:, start - shift : stop - shift]
            image, kernel, _ = torch.ops.aten.convolution_backward(
                outputs.reshape(-1, *outputs.shape[2:]).permute(0, 3, 1, 2),
                inputs.reshape(-1, *inputs.shape[2:]).permute(0, 3, 1, 2),
                weight[:, :, tap],
                None,
                (ctx.stride, ctx.stride),
                (ctx.padding, ctx.padding),
                (1, 1),
                False,
                (0, 0),
                len(weight),
                (True, True, False),
            )
            weight_grad[:, :, tap] = kernel
            x_grad[:, start:stop] += image.permute(0, 2, 3, 1).reshape(inputs.shape)
        return x_grad.permute(0, 4, 1, 2, 3).to(dtype), weight_grad.to(dtype), None, None


class DepthwiseConv3d(nn.Conv3d):
    """`nn.Conv3d` with one filter per channel: same parameters, same result, a faster gradient on a CPU."""

    def forward(self, x: Tensor) -> Tensor:
        if not torch.is_grad_enabled() or x.device.type != "cpu":
            return super().forward(x)
        weight = self.weight
        if torch.is_autocast_enabled("cpu"):
            dtype = torch.get_autocast_dtype("cpu")
            x, weight = x.to(dtype), weight.to(dtype)
        result: Tensor = _ShiftedDepthwise.apply(x, weight, self.stride[-1], int(self.padding[-1]))
        return result


def quicken_depthwise(network: nn.Module) -> None:
    """Give every depthwise 3-D convolution in `network` the faster gradient, in place; parameters are unchanged."""
    for module in network.modules():
        if (
            type(module) is nn.Conv3d
            and module.groups == module.in_channels == module.out_channels > 1
            and module.stride[0] == 1
            and module.kernel_size[0] > 1
        ):
            module.__class__ = DepthwiseConv3d
