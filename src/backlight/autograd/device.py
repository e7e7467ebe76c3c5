"""`torch.device`: the name of a device. All tensors are on the CPU; others can be named, and are refused when used."""

from typing import Any, Final

from backlight.core import ConfigError
from backlight.core.arguments import shown

DEVICES: Final = ("cpu", "cuda", "mps", "xpu", "meta", "hpu", "mtia")


class Device:
    """A device, as in `device("cpu")`, `device("cuda:0")` or `device("cuda", 0)`.

    Attributes:
        type: "cpu", "cuda", "mps", ...
        index: the number of the device, or None.

    Raises:
        ConfigError: not the name of a device.
    """

    type: str
    index: int | None

    def __init__(self, type: Any, index: int | None = None) -> None:
        name: Any
        number: Any
        name, number = (type.type, type.index) if isinstance(type, Device) else (type, index)
        if isinstance(name, str) and ":" in name and index is None:
            name, _, digits = name.partition(":")
            number = int(digits) if digits.isdigit() else digits
        whole = number is None or (isinstance(number, int) and number >= 0)
        if not isinstance(name, str) or name not in DEVICES or not whole:
            raise ConfigError(
                f"a device must be one of {', '.join(DEVICES)}, as in 'cpu' or 'cuda:0'; got {shown(type)}."
            )
        self.type = name
        self.index = number

    def __repr__(self) -> str:
        number = "" if self.index is None else f", index={self.index}"
        return f"device(type={self.type!r}{number})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Device) and str(self) == str(other)

    def __hash__(self) -> int:
        return hash(str(self))


CPU: Final = Device("cpu")


def check_device(device: Any) -> None:
    """Refuse a device other than the CPU; None is the CPU.

    Raises:
        ConfigError: it is another.
    """
    if device is None or device is CPU or (isinstance(device, str) and device == "cpu"):
        return
    wanted = Device(device)
    if wanted.type != "cpu":
        raise ConfigError(
            f"device must be 'cpu', as Backlight has no GPU support; got {str(wanted)!r}. "
            "Leave it out, or use PyTorch on a GPU."
        )
