r"""Rewriting Chinese, Japanese and Korean answers in ASCII: numerals, fractions, units and counters.

`五十分之十三` becomes `13/50`, `3.6亿` becomes `360000000`, `40厘米` becomes `40 cm`, `42个` becomes `42`.
Only what stands at a number is rewritten; other words are left to the tier that compares texts.
"""

import re

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
_AMOUNT = rf"(?:(?<![\d.])[\d.]+|(?<!{_NUMERAL}){_NUMERAL}+)"

UNITS = {
    name: unit
    for unit, names in {
        "km^2": "平方公里 平方千米", "dm^2": "平方分米", "cm^2": "平方厘米", "mm^2": "平方毫米",
        "m^2": "平方米", "square units": "平方单位", "cubic units": "立方单位", "units": "单位",
        "dm^3": "立方分米", "cm^3": "立方厘米", "m^3": "立方米", "ha": "公顷",
        "km": "千米 公里 キロメートル キロ 킬로미터", "cm": "厘米 センチメートル センチ 센티미터",
        "mm": "毫米", "dm": "分米", "um": "微米", "nm": "纳米", "meters": "米 メートル 미터",
        "kg": "千克 公斤 キログラム", "mg": "毫克", "grams": "克 グラム", "tons": "吨",
        "mL": "毫升", "liters": "升", "hours": "小时 小時 时间 時間 시간", "min": "分钟 分鐘",
        "ms": "毫秒", "seconds": "秒", "degrees C": "摄氏度", "degrees": "度", "yuan": "元",
        "dollars": "美元 ドル 달러", "yen": "円", "euros": "欧元", "newtons": "牛顿 牛",
        "joules": "焦耳 焦", "watts": "瓦特 瓦", "kW": "千瓦", "volts": "伏特 伏",
        "amps": "安培 安", r"\Omega": "欧姆 欧", "Pa": "帕", "kPa": "千帕", "Hz": "赫兹",
        "mol": "摩尔", "days": "天 日", "weeks": "周 星期", "months": "个月 月", "years": "年 岁",
        "won": "원",
    }.items()
    for name in names.split()
}  # fmt: skip
"""Units, with the names that the table of units knows."""
_PER = {**UNITS, "时": "hour", "時": "hour", "分": "minute"}
_UNIT = "|".join(sorted(UNITS, key=len, reverse=True))
_AT_NUMBER = re.compile(
    rf"(?<=[\d)}}%a-z]) ?(?:\((?P<bracketed>{_UNIT})\)|(?P<plain>{_UNIT}))(?:\s*(?:/|每)\s*(?P<square>二次方"
    rf"|平方)?(?P<per>{_UNIT}"
    rf"|[{CHARACTERS}]))?(?=\d|[{CHARACTERS}]{{0,6}}$|[.,;/ ^])"
)

_COUNTERS = (
    "个 個 只 隻 条 條 本 名 位 人 张 張 件 块 塊 颗 顆 粒 棵 朵 辆 輛 台 架 艘 座 栋 间 間 家 所 头 "
    "頭 匹 根 支 枝 把 杯 瓶 盒 箱 袋 包 串 束 组 組 队 隊 班 层 層 页 頁 句 字 词 种 種 类 類 项 項 "
    "道 题 題 次 回 遍 趟 场 場 步 圈 排 列 行 份 套 副 对 對 双 雙 片 枚 盏 扇 面 幅 封 册 冊 届 级 "
    "級 段 节 節 株 盆 桶 罐 碗 盘 筐 篮 车 户 分 岁 歲 歳 元 角 号 號 代 期 门 門 篇 首 曲 部 局 轮 "
    "環 环 组解 解 点 點 边 邊 羽 足 番 通り つ 개 명 마리 권 장 대 번 살 가지 자루 송이 그루 원 점 "
    "학생 롤 사람 男生 女生 学生 學生 同学 老师 苹果 零件"
)
_COUNTER = "|".join(sorted(_COUNTERS.split(), key=len, reverse=True))
NAMES_AT_NUMBERS = f"{_UNIT}|{_COUNTER}"
"""The units and counters, as alternatives of a regular expression."""
_COUNTED = re.compile(
    rf"(?<=[\d)}}%$]) ?(?P<noun>(?:不同的?)?(?:{_COUNTER})"
    rf"[{CHARACTERS}]{{0,8}}(?:\([{CHARACTERS}]+\))?)[.!]?$"
)
_OF_NOUN = re.compile(rf"(?:(?<=[A-Za-z%])|(?<=\^\d)) ?(?P<noun>的[{CHARACTERS}]{{1,6}})[.!]?$")
"""Matches what is measured after a number with its unit: `113 m^2 的草`."""
_MEANS_MORE = re.compile(
    "分之|(?!不同)[或和与與及不非无無至到半上下多余餘内外万亿千百十以约約負负若且但而倍吗嗎错未]|など|また|から|まで|ない"
    "|平方|立方|倒数|相反|아니"
)
"""Matches in words that may change the number before them."""
_WORDS = (
    ("而不是", " rather than "), ("而不选", ", not "), ("，不选", ", not "), (",不选", ", not "),
    ("不是", "not "), ("而是", " but "), ("无实数解", "no real solution"),
    ("無實數解", "no real solution"), ("无解", "no solution"), ("解なし", "no solution"),
    ("不存在", "does not exist"), ("空集", r"\emptyset "), ("正无穷", r"+\infty "),
    ("负无穷", r"-\infty "), ("无穷大", r"\infty "), ("大于或等于", r"\ge "),
    ("大于等于", r"\ge "), ("不小于", r"\ge "), ("小于或等于", r"\le "), ("小于等于", r"\le "),
    ("不大于", r"\le "), ("不等于", r"\ne "), ("大于", ">"), ("小于", "<"), ("等于", "="),
    ("或者", " or "), ("以及", " and "), ("または", " or "), ("실수 전체", "all real numbers"),
    ("全体实数", "all real numbers"), ("任意实数", "all real numbers"),
    ("一切实数", "all real numbers"),
)  # fmt: skip
_TRUTHS = {
    word: truth
    for truth, words in {
        "yes": "是 对 正确 真 はい 正しい 네",
        "no": "否 不是 错 错误 不正确 假 いいえ 아니요",
    }.items()
    for word in words.split()
}
_LEAD_IN = re.compile(
    r"^(?:(?:(?:最终|最后|正确)?(?:的)?答案(?:应|應)?(?:选|選|是|为|為)?|答|故|即|所以|因此|选项|選項|应?选|選|選項|约|約|大约|共|一共|总共|最多|至少|总|總|총"
    r"|合計|答えは|정답은|답은|選択肢|选项|選項)[:： ]*)+(?=\S)"
)
_SUBJECT = re.compile(
    "^(?:该|此|原|这个|所以|因此|故)?(?:方程|不等式|方程组)(?:的解集?(?:为|是)?)?(?=无|没有|有)"
)
_LEADING_WORDS = re.compile(
    rf"[{CHARACTERS}]{{0,13}}[是为為有得了到共约約需要用花剩下出值走跑行买付找赚种做は이가은는](?=[-\d$\\])"
    rf"|[{CHARACTERS}]{{2,14}}的(?=\d+/\d)"
    rf"|[{CHARACTERS}][{CHARACTERS}A-Za-z ]{{0,20}}[为為是=](?=\s*[-\d\\A-Za-z(])"
)
_CHANGES_NEXT = re.compile(
    "除|[不没沒非错未超否]|可能|也许|大概|或许|舍|倒数|相反|平方|立方|最多|最少|至少|最大|最小|以[上下]"
)
"""Matches in words that may change the number after them."""
_CHOICE_END = re.compile(r"^(\(?[A-J]+\)?) ?(?:选?项|選項|选|です|입니다)?[.。]?$")


def in_ascii(text: str) -> str:
    r"""Return an answer with its East Asian numerals, units and counters in ASCII.

    >>> in_ascii("五十分之十三"), in_ascii("40厘米"), in_ascii("42个"), in_ascii("13.2万元")
    ('13/50', '40 cm', '42', '132000 yuan')
    """
    text = text.strip(" 。.")
    if text in _TRUTHS:
        return _TRUTHS[text]
    text = _LEAD_IN.sub("", re.sub("[【】「」『』《》]", " ", text).strip()).strip()
    if match := _CHOICE_END.match(text):
        return match[1]
    text = _SUBJECT.sub("", text)
    for words, written in _WORDS:
        text = text.replace(words, written)
    text = re.sub(r"(?:です|である|だ|입니다|이다|。)$", "", text)
    text = re.sub(r"(\d{4})年(\d{1,2})月(\d{1,2})[日号]", r"\1-\2-\3", text)
    text = _TIME.sub(_clock_time, text)
    text = re.sub(r"倍?(?:根号|√)(\d+|\([^()]*\))", r"\\sqrt{\1}", text)
    text = _with_numerals(text)
    lead = _LEADING_WORDS.match(text)
    if lead is not None and not _MEANS_MORE.search(lead[0]) and not _CHANGES_NEXT.search(lead[0]):
        text = text[lead.end() :]
    text = re.sub(
        rf"^(?!千[克米瓦帕])(-?)({_NUMERAL}+)(?=[{CHARACTERS}]{{0,10}}$)",
        lambda match: match[1] + _digits(match[2]),
        text,
    )
    text = re.sub(r"(?<!\d)(\d+) ?元 ?(\d) ?角(?: ?(\d) ?分)?", r"\1.\2\3元", text)
    text = re.sub(r"(?<=\d)角", r"*0.1元", text) if "元" not in text else text
    if re.search(r"\d ?(?:小?时|小時|時間|시간) ?\d+ ?分", text):
        text = re.sub(r"(?<=\d) ?分(?!钟|鐘|之|の)", "分钟", re.sub(r"(?<=\d) ?时", "小时", text))
    text = _AT_NUMBER.sub(_unit, text).replace(" ^", "^")
    counted = _COUNTED.search(text) or _OF_NOUN.search(text)
    if counted is not None and not _MEANS_MORE.search(counted["noun"]):
        text = text[: counted.start()]
    return re.sub(r" {2,}", " ", text).strip()


def _with_numerals(text: str) -> str:
    """Return a text with its negative numbers, percentages, fractions and larger numerals in digits."""
    text = re.sub(r"(?:负|負|マイナス)(?=[\d一二三四五六七八九十\\])", "-", text)
    text = re.sub(
        rf"({_NUMERAL}+)点([{''.join(_DIGITS)}]+)",
        lambda match: f"{_digits(match[1])}.{_digits(match[2])}",
        text,
    )
    text = re.sub(rf"百分之({_AMOUNT})", lambda match: f"{_digits(match[1])}%", text)
    text = re.sub(
        rf"({_AMOUNT})(?:分之|分の)({_AMOUNT})",
        lambda match: f"{_digits(match[2])}/{_digits(match[1])}",
        text,
    )
    text = re.sub(rf"({_AMOUNT})又(?=[\d\\])", lambda match: f"{_digits(match[1])} ", text)
    text = re.sub(r"(?<![\d.,])(\d[\d,]*(?:\.\d+)?) ?([万萬亿億])", _scaled, text)
    text = re.sub(
        rf"(?<![第{_NUMERAL[1:-1]}])([一二两三四五六七八九十])(?=(?:{_UNIT})$)",
        lambda match: _digits(match[1]),
        text,
    )
    numerals = [] if re.search(r"\d", text) else list(re.finditer(f"{_NUMERAL}{{2,}}", text))
    if len(numerals) == 1:
        text = text[: numerals[0].start()] + _digits(numerals[0][0]) + text[numerals[0].end() :]
    return text


_TIME = re.compile(
    r"(?P<half>上午|凌晨|早上|下午|晚上|傍晚|午前|午後)?(?P<hour>\d{1,2})[点點時时](?:(?P<minute>\d{1,2})分|(?P<thirty>半)|[钟整])?(?!间|間|之)"
)


def _clock_time(match: re.Match[str]) -> str:
    """Return `3:30 p.m.` for `下午3点30分`."""
    minute = "30" if match["thirty"] else f"{int(match['minute'] or 0):02}"
    half = {"上": "a.m.", "凌": "a.m.", "早": "a.m.", "午前": "a.m."}
    name = match["half"] or ""
    suffix = (half.get(name) or half.get(name[0], "p.m.")) if name else ""
    return f"{match['hour']}:{minute} {suffix}".rstrip()


def _unit(match: re.Match[str]) -> str:
    unit = UNITS[match["bracketed"] or match["plain"]]
    per = f"/{_PER[match['per']]}{'^2' if match['square'] else ''}" if match["per"] in _PER else ""
    return f" {unit}{per} "


def _scaled(match: re.Match[str]) -> str:
    """Return `132000` for `13.2万`."""
    whole, _, decimals = match[1].replace(",", "").partition(".")
    zeros = len(str(_MYRIADS[match[2]])) - 1
    digits = whole + decimals[:zeros].ljust(zeros, "0")
    rest = decimals[zeros:].rstrip("0")
    return f"{digits}.{rest}" if rest else digits


MAX_NUMERAL = 40
"""Longer numerals stay as they are."""


def _digits(numeral: str) -> str:
    """Return a numeral in digits: `13` for `十三`; digits stay as they are."""
    if not re.fullmatch(f"{_NUMERAL}{{1,{MAX_NUMERAL}}}", numeral):
        return numeral
    if all(character in _DIGITS for character in numeral):
        return "".join(str(_DIGITS[character]) for character in numeral)
    total = part = digit = 0  # complete myriads, the value below them, and the digit that was read last
    place = 1  # that of a digit: 1000 after `万`, so that `三万五` is 35000, and 1 after `零`
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
            place = place if digit else 1
        elif character in _TENS:
            part += (digit or 1) * _TENS[character]
            digit, place = 0, _TENS[character] // 10
        else:
            total = (total + part + digit * place or 1) * _MYRIADS[character]
            part, digit, place = 0, 0, _MYRIADS[character] // 10
    return str(total + part + digit * place)
