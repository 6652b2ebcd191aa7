# SPDX-License-Identifier: Apache-2.0
"""Backward warping, as the pipeline does it natively."""
import torch
import torch.nn.functional as F


def warp(x, flow):
    """x(p + flow(p)), bilinear, borders replicated; and a mask of what came from inside the frame.

    `flow` is [B, 2, H, W] in pixels of x's own grid, x first.
    """
    height, width = x.shape[-2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=flow.dtype, device=x.device),
        torch.arange(width, dtype=flow.dtype, device=x.device), indexing="ij")
    px, py = columns + flow[:, 0], rows + flow[:, 1]
    grid = torch.stack([(2 * px + 1) / width - 1, (2 * py + 1) / height - 1], -1)
    inside = ((px >= 0) & (px <= width - 1) & (py >= 0) & (py <= height - 1)).to(x.dtype)[:, None]
    # Coordinates need 32 bits, whatever the image has.
    return F.grid_sample(x.float(), grid.float(), "bilinear", "border", align_corners=False).to(x.dtype), inside


def resize_flow(flow, size):
    """A flow field on another grid, its lengths scaled with it."""
    scale = flow.new_tensor([size[1] / flow.shape[-1], size[0] / flow.shape[-2]]).view(1, 2, 1, 1)
    return F.interpolate(flow, size=size, mode="bilinear", align_corners=False) * scale
