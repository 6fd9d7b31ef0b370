r"""Rewriting Chinese, Japanese and Korean answers in ASCII: numerals, fractions, units and counters.

`五十分之十三` becomes `13/50`, `3.6亿` becomes `360000000`, `40厘米` becomes `40 cm`, and `42个` becomes `42`. Only
what stands at a number is rewritten; other words are left to the tier that compares texts.
"""

import re
from decimal import Decimal

CHARACTERS = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
"""The characters of these languages, for a class in a regular expression."""
IS_EAST_ASIAN = re.compile(rf"[\u3000-\u303f{CHARACTERS}]")

_DIGITS = {
    "零": 0,
    "〇": 0,
    "一": 1,
    "二": 2,
    "两": 2,
    "三": 3,
    "四": 4,
    "五": 5,
    "六": 6,
    "七": 7,
    "八": 8,
    "九": 9,
}
_TENS = {"十": 10, "百": 100, "千": 1000}
_MYRIADS = {"万": 10**4, "萬": 10**4, "亿": 10**8, "億": 10**8}
_NUMERAL = "[" + "".join([*_DIGITS, *_TENS, *_MYRIADS]) + "]"
_AMOUNT = rf"(?:[\d.]+|{_NUMERAL}+)"

UNITS = {
    "平方公里": "km^2", "平方千米": "km^2", "平方分米": "dm^2", "平方厘米": "cm^2", "平方毫米": "mm^2", "平方米": "m^2",
    "立方分米": "dm^3", "立方厘米": "cm^3", "立方米": "m^3", "公顷": "ha", "千米": "km", "公里": "km", "厘米": "cm", "毫米": "mm",
    "分米": "dm", "微米": "um", "纳米": "nm", "米": "meters", "千克": "kg", "公斤": "kg", "毫克": "mg", "克": "grams", "吨": "tons",
    "毫升": "mL", "升": "liters", "小时": "hours", "小時": "hours", "时间": "hours", "時間": "hours", "시간": "hours", "分钟": "min", "分鐘": "min",
    "毫秒": "ms", "秒": "seconds", "摄氏度": "degrees C", "度": "degrees", "元": "yuan", "美元": "dollars", "ドル": "dollars",
    "달러": "dollars", "円": "yen", "欧元": "euros", "牛顿": "newtons", "牛": "newtons", "焦耳": "joules", "焦": "joules", "瓦特": "watts", "瓦": "watts", "千瓦": "kW",
    "伏特": "volts", "伏": "volts", "安培": "amps", "安": "amps", "欧姆": r"\Omega", "欧": r"\Omega", "帕": "Pa", "千帕": "kPa", "赫兹": "Hz", "摩尔": "mol",
    "天": "days", "日": "days", "周": "weeks", "星期": "weeks", "个月": "months", "月": "months", "年": "years", "岁": "years",
    "メートル": "meters", "センチメートル": "cm", "キロメートル": "km", "センチ": "cm", "キロ": "km", "グラム": "grams", "キログラム": "kg",
    "미터": "meters", "센티미터": "cm", "킬로미터": "km", "원": "won",
}  # fmt: skip
"""Units, with the names that the table of units knows."""
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_AT_NUMBER = re.compile(
    rf"(?<=[\d)}}%a-z]) ?(?:\((?P<bracketed>{_UNIT})\)|(?P<plain>{_UNIT}))(?:\s*(?:/|每)\s*(?P<per>{_UNIT}|[{CHARACTERS}]))?(?=\d|[{CHARACTERS}]{{0,6}}$|[.,;/ ])"
)

_COUNTED = re.compile(rf"(?<=[\d)}}%$]) ?(?P<noun>[{CHARACTERS}]{{1,10}}(?:\([{CHARACTERS}]+\))?)[.!]?$")
_MEANS_MORE = re.compile(
    "分之|(?!不同)[或和与與及不非无無至到半上下多余餘内外万亿千百十以约約負负若且但而]|など|また|から|まで|ない"
)
"""Matches in words that may change the number before them."""
_WORDS = (
    ("而不是", " rather than "), ("而不选", ", not "), ("，不选", ", not "), (",不选", ", not "), ("不是", "not "), ("而是", " but "),
    ("无实数解", "no real solution"), ("無實數解", "no real solution"), ("无解", "no solution"), ("解なし", "no solution"),
    ("不存在", "does not exist"), ("空集", r"\emptyset "), ("正无穷", r"+\infty "), ("负无穷", r"-\infty "), ("无穷大", r"\infty "),
    ("大于或等于", r"\ge "), ("大于等于", r"\ge "), ("不小于", r"\ge "), ("小于或等于", r"\le "), ("小于等于", r"\le "),
    ("不大于", r"\le "), ("不等于", r"\ne "), ("大于", ">"), ("小于", "<"), ("等于", "="), ("或者", " or "), ("以及", " and "), ("または", " or "),
    ("실수 전체", "all real numbers"), ("全体实数", "all real numbers"), ("任意实数", "all real numbers"), ("一切实数", "all real numbers"),
)  # fmt: skip
_TRUTHS = {
    "是": "yes", "对": "yes", "正确": "yes", "真": "yes", "はい": "yes", "正しい": "yes", "네": "yes", "否": "no", "不是": "no", "错": "no",
    "错误": "no", "不正确": "no", "假": "no", "いいえ": "no", "아니요": "no",
}  # fmt: skip
_LEAD_IN = re.compile(
    r"^(?:(?:(?:最终|最后|正确)?(?:的)?答案(?:应|應)?(?:选|選|是|为|為)?|答|故|即|所以|因此|选项|選項|应?选|選|選項|约|約|大约|共|一共|总共|最多|至少|答えは|정답은|답은|選択肢|选项|選項)[:： ]*)+(?=\S)"
)
_SUBJECT = re.compile(
    "^(?:该|此|原|这个|所以|因此|故)?(?:方程|不等式|方程组)(?:的解集?(?:为|是)?)?(?=无|没有|有)"
)
_LEADING_WORDS = re.compile(rf"[{CHARACTERS}]{{2,14}}(?=[-\d$\\])")
_CHOICE_END = re.compile(r"^(\(?[A-J]+\)?) ?(?:选?项|選項|选|です|입니다)?[.。]?$")


def in_ascii(text: str) -> str:
    r"""Return an answer with its East Asian numerals, units and counters in ASCII.

    >>> in_ascii("五十分之十三"), in_ascii("40厘米"), in_ascii("42个"), in_ascii("13.2万元")
    ('13/50', '40 cm', '42', '132000 yuan')
    """
    text = text.strip(" 。.")
    if text in _TRUTHS:
        return _TRUTHS[text]
    text = _LEAD_IN.sub("", re.sub("[【】「」『』《》]", " ", text)).strip()
    if match := _CHOICE_END.match(text):
        return match[1]
    text = _SUBJECT.sub("", text)
    for words, written in _WORDS:
        text = text.replace(words, written)
    text = re.sub(r"(?:です|である|だ|입니다|이다|。)$", "", text)
    text = re.sub(r"(?:负|負|マイナス)(?=[\d一二三四五六七八九十\\])", "-", text)
    text = re.sub(rf"百分之({_AMOUNT})", lambda match: f"{_digits(match[1])}%", text)
    text = re.sub(
        rf"({_AMOUNT})(?:分之|分の)({_AMOUNT})",
        lambda match: f"{_digits(match[2])}/{_digits(match[1])}",
        text,
    )
    text = re.sub(r"(?<=\d)又(?=[\d\\])", " ", text)
    text = re.sub(r"(\d[\d,]*(?:\.\d+)?) ?([万萬亿億])", _scaled, text)
    lead = _LEADING_WORDS.match(text)
    if lead is not None and not _MEANS_MORE.search(lead[0]):
        text = text[lead.end() :]
    text = re.sub(
        rf"^(?!千[克米瓦帕])({_NUMERAL}+)(?=[{CHARACTERS}]{{0,10}}$)", lambda match: _digits(match[1]), text
    )
    text = re.sub(r"(?<=\d)角", r"*0.1元", text) if "元" not in text else text
    if re.search(r"\d ?(?:小?时|小時|時間|시간) ?\d+ ?分", text):
        text = re.sub(r"(?<=\d) ?分(?!钟|鐘|之|の)", "分钟", re.sub(r"(?<=\d) ?时", "小时", text))
    text = _AT_NUMBER.sub(_unit, text)
    counted = _COUNTED.search(text)
    if counted is not None and not _MEANS_MORE.search(counted["noun"]):
        text = text[: counted.start()]
    return re.sub(r" {2,}", " ", text).strip()


def _unit(match: re.Match[str]) -> str:
    unit = UNITS[match["bracketed"] or match["plain"]]
    per = f"/{UNITS[match['per']]}" if match["per"] in UNITS else ""
    return f" {unit}{per} "


def _scaled(match: re.Match[str]) -> str:
    value = Decimal(match[1].replace(",", "")) * _MYRIADS[match[2]]
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _digits(numeral: str) -> str:
    """Return a numeral in digits: `13` for `十三`; digits stay as they are."""
    if not re.fullmatch(f"{_NUMERAL}+", numeral):
        return numeral
    if all(character in _DIGITS for character in numeral):
        return "".join(str(_DIGITS[character]) for character in numeral)
    total = part = digit = 0  # complete myriads, the value below them, and the digit that was read last
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
        elif character in _TENS:
            part += (digit or 1) * _TENS[character]
            digit = 0
        else:
            total = (total + part + digit) * _MYRIADS[character]
            part = digit = 0
    return str(total + part + digit)
