"""What synthesisers call their phones, in letters of the IPA."""

PAUSES = frozenset({"#", "##", "pau", "h#", "brth", "_", "SIL"})

ENGLISH = {
    "aa": "ɑ", "ae": "æ", "ah": "ʌ", "ao": "ɔ", "aw": "aʊ", "ax": "ə", "axr": "ɚ", "ay": "aɪ",
    "ch": "tʃ", "dh": "ð", "dx": "ɾ", "eh": "ɛ", "el": "l", "em": "m", "en": "n", "er": "ɝ",
    "ey": "eɪ", "g": "ɡ", "hh": "h", "hv": "h", "ih": "ɪ", "iy": "i", "jh": "dʒ", "ng": "ŋ",
    "nx": "n", "ow": "oʊ", "oy": "ɔɪ", "r": "ɹ", "sh": "ʃ", "th": "θ", "uh": "ʊ", "uw": "u",
    "y": "j", "zh": "ʒ",
}  # fmt: skip
ITALIAN = {
    "E": "ɛ", "O": "ɔ", "i1": "i", "e1": "e", "E1": "ɛ", "a1": "a", "o1": "o", "O1": "ɔ",
    "u1": "u", "S": "ʃ", "Z": "ʒ", "tS": "tʃ", "dZ": "dʒ", "J": "ɲ", "L": "ʎ", "ng": "ŋ",
    "nf": "ɱ", "g": "ɡ",
}  # fmt: skip
CZECH = {
    "a:": "aː", "c": "ts", "c~": "tʃ", "ch": "x", "d~": "ɟ", "dz": "dz", "dz~": "dʒ", "e": "ɛ",
    "e:": "ɛː", "h": "ɦ", "i": "ɪ", "i:": "iː", "n*": "ŋ", "n~": "ɲ", "o:": "oː", "r~": "ʒ",
    "r~*": "ʃ", "s~": "ʃ", "t~": "c", "u:": "uː", "z~": "ʒ", "g": "ɡ",
}  # fmt: skip
FINNISH = {
    "@": "æ", "@:": "æ", "7": "ø", "7:": "ø", "&": "ə", "T": "t", "T:": "t", "D:": "d", "S": "ʃ",
    "S:": "ʃ", "Z:": "ʒ", "v": "ʋ", "v:": "ʋ", "N": "ŋ", "N:": "ŋ", "L": "ʎ", "L:": "ʎ",
    "a": "ɑ", "a:": "ɑ", "g": "ɡ", "g:": "ɡ",
}  # fmt: skip
RUSSIAN = {
    "ii": "i", "yy": "ɨ", "uu": "u", "ee": "ɛ", "oo": "o", "aa": "a", "a": "ɐ", "e": "ɪ",
    "i": "ɪ", "y": "ɨ", "u": "ʊ", "ae": "ə", "ay": "ə", "ur": "ʊ", "pp": "p", "bb": "b",
    "tt": "t", "dd": "d", "kk": "k", "g": "ɡ", "gg": "ɡ", "c": "ts", "ch": "tɕ", "ff": "f",
    "vv": "v", "ss": "s", "zz": "z", "sh": "ʂ", "sch": "ɕ", "zh": "ʐ", "h": "x", "hh": "x",
    "mm": "m", "nn": "n", "ll": "l", "rr": "r",
}  # fmt: skip
CATALAN = {
    "ax": "ə", "a1": "a", "e1": "e", "E": "ɛ", "E1": "ɛ", "i1": "i", "J": "ɲ", "L": "ʎ",
    "o1": "o", "O": "ɔ", "O1": "ɔ", "rr": "r", "S": "ʃ", "u1": "u", "Z": "ʒ", "g": "ɡ",
}  # fmt: skip


def to_ipa(name: str, phoneset: dict[str, str]) -> str:
    """A phone's letters of the IPA; none for a pause. What a set does not list is one already."""
    return "" if name in PAUSES else phoneset.get(name, name)
