"""What the demo says to people, in English and Vietnamese."""

import os

LANGUAGES = ("en", "vi")

_TEXTS: dict[str, tuple[str, str]] = {
    "rendering": (
        "Drawing the street for the demo's camera (only the first time)",
        "Đang vẽ con phố cho camera mẫu (chỉ lần đầu)",
    ),
    "collector": (
        "Starting the collector with {broker}",
        "Đang khởi động máy chủ thu nhận với {broker}",
    ),
    "embedded": ("its own broker", "bộ chuyển tin riêng"),
    "agent": (
        "Starting the agent on box {box}, cameras: {cameras}",
        "Đang khởi động chương trình trên hộp {box}, camera: {cameras}",
    ),
    "waiting": ("Waiting for the first picture of each camera", "Đang chờ hình đầu tiên của từng camera"),
    "blind": (
        "No picture yet from: {cameras}. The demo goes on and the agent keeps trying.",
        "Chưa có hình từ: {cameras}. Bản mẫu vẫn chạy và chương trình tiếp tục thử.",
    ),
    "port": ("Port 8080 is taken, using {port}", "Cổng 8080 đang bận, dùng cổng {port}"),
    "page": ("Page", "Trang"),
    "login": ("Login", "Đăng nhập"),
    "password": ("password", "mật khẩu"),
    "stop": ("Ctrl-C ends the demo", "Nhấn Ctrl-C để kết thúc"),
    "motion": ("{camera}: motion, seen here {ms} ms later", "{camera}: có chuyển động, báo về sau {ms} ms"),
    "over": ("{camera}: over after {seconds:.0f} s", "{camera}: hết chuyển động sau {seconds:.0f} giây"),
    "clip": ("{camera}: clip of {seconds:.0f} s is stored", "{camera}: đã lưu đoạn ghi {seconds:.0f} giây"),
    "alert": ("alert sent to: {channel}", "đã gửi cảnh báo tới: {channel}"),
    "ending": ("Ending: handing over the last clips", "Đang kết thúc: chuyển nốt các đoạn ghi"),
    "kept": ("Kept in {folder}", "Dữ liệu giữ tại {folder}"),
    "died": ("{name} ended by itself (exit code {code}). Its last words:", "{name} tự dừng (mã {code}). Lời cuối:"),
    "complaints": ("The programs told of errors:", "Các chương trình báo lỗi:"),
}


class Words:
    """The texts of one language."""

    def __init__(self, language: str) -> None:
        self._column = LANGUAGES.index(language)

    def __call__(self, key: str, **fields: object) -> str:
        """The text with its places filled."""
        return _TEXTS[key][self._column].format(**fields)


def language_of_this_person() -> str:
    """By the usual variables; English unless they say Vietnamese."""
    said = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG") or ""
    return "vi" if said.lower().startswith("vi") else "en"
