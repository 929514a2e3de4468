"""How the Infer… transformations of images put padding and windows before a layer."""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from finnmake.graph.datatype import AnyDataType
from finnmake.graph.model_wrapper import get_datatype, get_shape
from finnmake.graph.sliding_windows import Windows
from finnmake.transformation.hardware import insert_hardware


def image_of(value: ir.Value | None) -> tuple[int, int, int] | None:
    """Rows, columns, channels of an image of integers (1, H, W, C); None for other tensors."""
    shape = get_shape(value) if value is not None else None
    if value is None or shape is None or len(shape) != 4 or shape[0] != 1 or not get_datatype(value).is_integer():
        return None
    return shape[1], shape[2], shape[3]


def has_padding(windows: Windows, image: Sequence[int], datatype: AnyDataType, value: float = 0) -> bool:
    """True where windows need no padding, or one with a number that the datatype has."""
    return not any(_pads(windows, image)) or datatype.allowed(value)


def insert_windows(
    before: ir.Node,
    source: ir.Value,
    windows: Windows,
    image: tuple[int, int, int],
    *,
    depthwise: bool,
    pad_value: int = 0,
) -> ir.Value:
    """An FMPadding where there is padding, and a ConvolutionInputGenerator: the windows' tensor.

    Args:
        before: where the nodes go.
        source: the image (1, H, W, C).
        windows: over it.
        image: H, W, C.
        depthwise: the order of the windows' elements.
        pad_value: what the image is padded with.
    """
    rows, columns, channels = image
    datatype = get_datatype(source)
    pads = _pads(windows, image)
    down, across = windows.output_size(rows, columns)
    if any(pads):
        source = insert_padding(before, source, image, pads, pad_value)
        rows, columns = rows + pads[0] + pads[2], columns + pads[1] + pads[3]
    structure: dict[str, int | str | bool] = {
        "ConvKernelDim": text(*windows.kernel),
        "IFMChannels": channels,
        "IFMDim": text(rows, columns),
        "Stride": text(*windows.strides),
        "Dilation": text(*windows.dilations),
        "SIMD": 1,
        "inputDataType": datatype.name,
        "depthwise": depthwise,
        "ram_style": "auto",
    }
    shape = (1, down, across, windows.taps * channels)
    return insert_hardware(before, "ConvolutionInputGenerator", source, structure, datatype, shape)


def insert_padding(
    before: ir.Node,
    source: ir.Value,
    image: tuple[int, int, int],
    pads: Sequence[int],
    value: int,
    shape: Sequence[int] | None = None,
) -> ir.Value:
    """An FMPadding.

    Args:
        before: where it goes.
        source: the image.
        image: rows, columns, channels.
        pads: top, left, bottom, right.
        value: what goes around the image.
        shape: of the result; by default (1, H, W, C).
    """
    rows, columns, channels = image
    top, left, bottom, right = pads
    datatype = get_datatype(source)
    structure: dict[str, int | str | bool] = {
        "ImgDim": text(rows, columns),
        "Padding": text(*pads),
        "NumChannels": channels,
        "SIMD": 1,
        "inputDataType": datatype.name,
        "PadValue": value,
    }
    padded = (1, top + rows + bottom, left + columns + right, channels)
    return insert_hardware(before, "FMPadding", source, structure, datatype, shape or padded)


def insert_pool(
    before: ir.Node,
    windowed: ir.Value,
    windows: Windows,
    image: tuple[int, int, int],
    output: AnyDataType,
    shift: int | None = None,
    shape: Sequence[int] | None = None,
) -> ir.Value:
    """A Pool: the largest of windows, or with a shift their sum without so many bits.

    Args:
        before: where it goes.
        windowed: the windows, in depthwise order.
        windows: over the image.
        image: rows, columns, channels.
        output: datatype of the result.
        shift: bits that a sum loses.
        shape: of the result; by default (1, H, W, C).
    """
    rows, columns = windows.output_size(image[0], image[1])
    structure: dict[str, int | str | bool] = {
        "Channels": image[2],
        "PE": 1,
        "KernelSize": text(*windows.kernel),
        "OutImgDims": text(rows, columns),
        "inputDataType": get_datatype(windowed).name,
        "outputDataType": output.name,
        "Function": "MaxPool" if shift is None else "QuantAvgPool",
        "Shift": shift or 0,
    }
    return insert_hardware(before, "Pool", windowed, structure, output, shape or (1, rows, columns, image[2]))


def text(*numbers: int) -> str:
    """Numbers as a layer's attribute has them."""
    return ",".join(str(number) for number in numbers)


def _pads(windows: Windows, image: Sequence[int]) -> tuple[int, int, int, int]:
    """Top, left, bottom, right, with what windows beyond the padding need."""
    needed = []
    for axis, count in enumerate(windows.output_size(image[0], image[1])):
        reach = (count - 1) * windows.strides[axis] + windows.dilations[axis] * (windows.kernel[axis] - 1) + 1
        needed.append(max(windows.pads[axis + 2], reach - image[axis] - windows.pads[axis]))
    return windows.pads[0], windows.pads[1], needed[0], needed[1]
