"""What `edge-agent check` says, in Vietnamese and English, by the word of a finding; why there is no picture."""

from typing import Literal

Language = Literal["vi", "en"]

PARTS = {
    "vi": {
        "disk": "đĩa",
        "clock": "đồng hồ",
        "power": "nguồn điện",
        "secret": "mật khẩu",
        "identity": "chứng chỉ",
        "broker": "máy chủ tin",
        "collector": "máy chủ",
        "upload": "đường lên",
    }
}
TEXTS: dict[str, dict[str, str]] = {
    "en": {
        "plain": "{text}",
        "picture": "picture {width}x{height} {codec}, {fps:.1f} frames/s, {kbps:.0f} kbit/s{key}{recorded}",
        "key": ", a key frame every {s:.1f} s",
        "not_recordable": "; looked at but not recordable: set the camera to H.264, H.265 or MJPEG",
        "camera_unreachable": "{text}",
        "camera_refused": "{text}",
        "camera_unauthorised": "{text}",
        "camera_timeout": "{text}",
        "camera_not_video": "{text}",
        "camera_ended": "{text}",
        "camera_changed": "{text}",
        "camera_decode": "{text}",
        "file_unreachable": "{text}",
        "file_unauthorised": "{text}",
        "file_not_video": "{text}",
        "file_ended": "{text}",
        "file_decode": "{text}",
        "no_picture": "{address}: packets come, but no picture. Set the camera to H.264 or H.265",
        "codec": "{codec}: not every browser plays it. Set the camera to H.264 if its disk and line allow",
        "key_far": "a key frame every {s:.1f} s: clips begin that much too early. Set the camera to one every 2 s",
        "key_none": "no second key frame within {s:.0f} s. Set the camera to one every 2 seconds",
        "kbps_high": "{kbps:.0f} kbit/s is much for clips. Set the camera to {most} kbit/s or less, and give `sub`",
        "broker_ok": "{where} took us, {protocol}",
        "broker_refused": "{where} refused us: {reason}. Check broker.password_file and the box id",
        "broker_gone": "{where} cannot be reached: {reason}. Check broker.host and broker.port",
        "broker_strange": "{where} did not answer as an MQTT broker does. Check broker.host and broker.port",
        "collector_strange": "{url} answers, but is no collector. Check collector.url",
        "collector_tls": "{url}: TLS fails: {reason}. Check collector.url and the clock",
        "collector_gone": "{url} cannot be reached ({reason}). Check collector.url",
        "collector_certificate": "{url} does not let this box's certificate in. Do `collector box replace`",
        "collector_secret": "{url} does not know this box or its secret. Do `collector box add` again",
        "collector_no_clips": "{url} takes no clips (HTTP {status}). Check collector.url",
        "collector_ok": "{url} answers and knows this box",
        "upload_ok": "{kbps:.0f} kbit/s; a clip of 10 s of all cameras takes {clip_s:.0f} s",
        "upload_slow": "{kbps:.0f} kbit/s, the cameras make {needed:.0f}: clips come late, events do not. "
        "Lower the cameras' bitrate, or take a better line",
        "upload_none": "could not be measured ({reason})",
        "identity_ended": "certificate of {box} ended {ends}. On the server: collector box replace {box}",
        "identity_ok": "certificate of {box}, until {ends}; it renews by itself",
        "disk_closed": "{folder} cannot be written by this user. Check its owner",
        "disk_full": "{free} free of {total} at {folder}; {keep} must stay free. Make room or take a larger card",
        "disk_ok": "{free} free of {total} at {folder}",
        "clock_unset": "{now}: not set since start. Connect the network (NTP) or set it by hand",
        "clock_synced": "{now}, synchronised",
        "clock_holdover": "{now}, not synchronised now; runs on from its battery or an earlier sync",
        "power_now": "too little voltage right now. Use the Pi's own power supply and a short cable",
        "power_before": "there was too little voltage since the start. Use the Pi's own power supply and a short cable",
        "power_ok": "enough voltage since the start",
    },
    "vi": {
        "plain": "{text}",
        "picture": "hình {width}x{height} {codec}, {fps:.1f} hình/giây, {kbps:.0f} kbit/s{key}{recorded}",
        "key": ", khung khóa mỗi {s:.1f} giây",
        "not_recordable": "; nhìn được nhưng không ghi được: đặt camera ở H.264, H.265 hoặc MJPEG",
        "camera_unreachable": "{where}: không tới được camera. "
        "Xem lại địa chỉ, dây mạng và nguồn điện của camera; với tệp thì xem lại đường dẫn",
        "camera_refused": "{where}: camera có trả lời nhưng từ chối. "
        "Xem lại cổng và phần sau địa chỉ, hoặc khởi động lại camera; đóng chương trình khác đang dùng nó",
        "camera_unauthorised": "{where}: không được phép xem. "
        "Xem lại tên đăng nhập và mật khẩu; với camera USB thì cho tài khoản này vào nhóm 'video'",
        "camera_timeout": "{where}: quá lâu không thấy gì. Xem lại đường mạng và nguồn điện của camera",
        "camera_not_video": "{where}: không phải hình mà chương trình hiểu được. "
        "Đặt camera ở H.264 hoặc H.265, xem lại đường dẫn",
        "camera_ended": "{where}: camera đã ngắt kết nối. Có thể nó đang khởi động lại, hoặc có quá nhiều người xem",
        "camera_changed": "{where}: luồng hình vừa đổi cỡ hoặc kiểu mã hóa. Kiểm tra lại lần nữa",
        "camera_decode": "{where}: có dữ liệu nhưng không dựng được hình. Đặt camera ở H.264 hoặc H.265",
        "file_unreachable": "{where}: không có tệp này hoặc không đọc được. Xem lại đường dẫn",
        "file_unauthorised": "{where}: không được phép đọc tệp này. Xem lại chủ sở hữu và quyền của tệp",
        "file_not_video": "{where}: không phải đoạn phim đọc được. "
        "Có thể là thư mục, tệp trống, tệp chép dở, chỉ có tiếng, hoặc là loại tệp khác",
        "file_ended": "{where}: đã chạy hết đoạn phim. Thêm ?loop=1 vào cuối đường dẫn để chạy lặp lại",
        "file_decode": "{where}: có dữ liệu nhưng không dựng được hình. Tệp có thể bị hỏng hoặc chép dở",
        "no_picture": "{address}: có dữ liệu nhưng không có hình. Đặt camera ở H.264 hoặc H.265",
        "codec": "{codec}: không phải trình duyệt nào cũng phát được. Đặt camera ở H.264 nếu thẻ nhớ và đường mạng đủ",
        "key_far": "khung khóa mỗi {s:.1f} giây: đoạn phim bắt đầu sớm bấy nhiêu. Đặt hai giây một khung khóa",
        "key_none": "không thấy khung khóa thứ hai trong {s:.0f} giây. Đặt camera hai giây một khung khóa",
        "kbps_high": "{kbps:.0f} kbit/s là nhiều cho đoạn phim. Đặt camera từ {most} kbit/s trở xuống, và khai `sub`",
        "broker_ok": "{where} đã nhận, {protocol}",
        "broker_refused": "{where} từ chối: {reason}. Xem lại broker.password_file và mã hộp",
        "broker_gone": "không tới được {where}: {reason}. Xem lại broker.host và broker.port",
        "broker_strange": "{where} không trả lời như một máy chủ MQTT. Xem lại broker.host và broker.port",
        "collector_strange": "{url} có trả lời nhưng không phải collector. Xem lại collector.url",
        "collector_tls": "{url}: lỗi TLS: {reason}. Xem lại collector.url và đồng hồ",
        "collector_gone": "không tới được {url} ({reason}). Xem lại collector.url",
        "collector_certificate": "{url} không nhận chứng chỉ của hộp này. Trên máy chủ: `collector box replace`",
        "collector_secret": "{url} không biết hộp này hoặc mật khẩu của nó. Làm lại `collector box add`",
        "collector_no_clips": "{url} không nhận phim (HTTP {status}). Xem lại collector.url",
        "collector_ok": "{url} trả lời và biết hộp này",
        "upload_ok": "{kbps:.0f} kbit/s; gửi 10 giây phim của mọi camera mất {clip_s:.0f} giây",
        "upload_slow": "{kbps:.0f} kbit/s, các camera tạo ra {needed:.0f}: phim sẽ đến muộn, tin thì không. "
        "Giảm tốc độ bit của camera, hoặc dùng đường mạng tốt hơn",
        "upload_none": "không đo được ({reason})",
        "identity_ended": "chứng chỉ của {box} đã hết hạn {ends}. Trên máy chủ: collector box replace {box}",
        "identity_ok": "chứng chỉ của {box}, đến {ends}; tự gia hạn",
        "disk_closed": "tài khoản này không ghi được vào {folder}. Xem lại chủ sở hữu",
        "disk_full": "còn trống {free} trong {total} tại {folder}; phải để trống {keep}. Dọn bớt hoặc thay thẻ lớn hơn",
        "disk_ok": "còn trống {free} trong {total} tại {folder}",
        "clock_unset": "{now}: chưa được chỉnh từ khi khởi động. Nối mạng (NTP) hoặc chỉnh tay",
        "clock_synced": "{now}, đã đồng bộ",
        "clock_holdover": "{now}, hiện không đồng bộ; chạy tiếp bằng pin hoặc lần đồng bộ trước",
        "power_now": "đang thiếu điện áp. Dùng đúng bộ nguồn của Pi và dây ngắn",
        "power_before": "đã có lúc thiếu điện áp từ khi khởi động. Dùng đúng bộ nguồn của Pi và dây ngắn",
        "power_ok": "đủ điện áp từ khi khởi động",
    },
}


def text_of(word: str, facts: dict[str, object], language: Language) -> str:
    """The sentence. KeyError for a word that there is not."""
    return TEXTS[language][word].format(**facts)


def why_unavailable(reason: str, text: str, where: str, *, is_file: bool) -> tuple[str, dict[str, object]]:
    """The word and its facts for a camera or file that gives no picture; `text` is the program's own sentence."""
    word = f"file_{reason}" if is_file and f"file_{reason}" in TEXTS["en"] else f"camera_{reason}"
    return word, {"text": text, "where": where}


def part_of(part: str, language: Language) -> str:
    """What is looked at, as people call it; cameras keep their names."""
    return PARTS.get(language, {}).get(part, part)
