"""What keeps a command from reading or writing, in Vietnamese and English."""

import errno

from edge_agent.aim.words import Language, text_of, why_unavailable
from edge_agent.camera.source import SourceAddress
from edge_agent.camera.unavailable import CameraUnavailable, Reason
from edge_agent.detect import CutShort

_WORDS: dict[Language, dict[str, str]] = {
    "vi": {
        "source": "Không hiểu nguồn hình này. Hãy viết đường dẫn của một tệp phim, rtsp://MÁY/ĐƯỜNG_DẪN, "
        "http://MÁY/ĐƯỜNG_DẪN hoặc usb:0.",
        "cut": "Ngừng xem sớm: {why}",
        "unwritable": "Không ghi được {where}: {why}.",
        "itself": "--overlay {where} chính là đoạn phim đang xem: hãy đặt tên khác.",
        "pair": "--config và --camera phải đi cùng nhau.",
        "suffix": "--picture {where}: hãy đặt tên kết thúc bằng .jpg hoặc .png.",
    },
    "en": {
        "source": "{text}",
        "cut": "Watching ended early: {why}",
        "unwritable": "{where} cannot be written: {why}.",
        "itself": "--overlay {where} is the recording that is looked at: give another name.",
        "pair": "--config and --camera go together.",
        "suffix": "--picture {where}: name it .jpg or .png.",
    },
}
_WHY: dict[Language, dict[int, str]] = {
    "vi": {
        errno.ENOSPC: "đĩa đầy, hãy dọn bớt hoặc chọn chỗ khác",
        errno.EDQUOT: "tài khoản này đã dùng hết chỗ của mình",
        errno.EACCES: "tài khoản này không có quyền ghi ở đó",
        errno.EPERM: "tài khoản này không có quyền ghi ở đó",
        errno.EROFS: "chỗ đó chỉ cho đọc",
        errno.ENOENT: "không có thư mục đó",
        errno.ENOTDIR: "trong đường dẫn có chỗ không phải là thư mục",
        errno.EISDIR: "đó là thư mục, hãy thêm tên tệp",
        errno.EEXIST: "đã có tệp cùng tên ở đó",
    },
    "en": {
        errno.ENOSPC: "the disk is full, make room or choose another place",
        errno.EDQUOT: "this user has used up its share of the disk",
        errno.EACCES: "this user may not write there",
        errno.EPERM: "this user may not write there",
        errno.EROFS: "that place is read-only",
        errno.ENOENT: "there is no such folder",
        errno.ENOTDIR: "something in the path is no folder",
        errno.EISDIR: "that is a folder, add the name of a file",
        errno.EEXIST: "a file of that name is there",
    },
}


def tell(word: str, language: Language, **facts: object) -> str:
    """A sentence of this module."""
    return _WORDS[language][word].format(**facts)


def tell_unavailable(error: CameraUnavailable, address: SourceAddress, language: Language) -> str:
    """Why a camera or a recording gives no picture."""
    return tell_reason(error.reason, str(error), address, language)


def tell_reason(reason: Reason, text: str, address: SourceAddress, language: Language) -> str:
    """The same by the reason; `text` is the program's own sentence."""
    word, facts = why_unavailable(reason, text, str(address), is_file=address.kind == "file")
    return text_of(word, facts, language)


def tell_cut_short(cut: CutShort, address: SourceAddress, language: Language) -> str:
    """Why watching ended early."""
    why = cut.text if cut.reason == "asked" else tell_reason(cut.reason, cut.text, address, language)
    return tell("cut", language, why=why)


def tell_unwritable(error: OSError, language: Language) -> str:
    """Why a file could not be written."""
    why = _WHY[language].get(error.errno or 0, error.strerror or type(error).__name__)
    return tell("unwritable", language, where=error.filename or "?", why=why)
