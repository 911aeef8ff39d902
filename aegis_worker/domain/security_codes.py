"""A card's security code: three or four digits under its name, after it or before it. Pure.

The digits alone tell nothing, so the names decide: those of the networks (CVV2, CVC2, CSC, …) and of people, in the
languages that shops are written in. Amex's CID is left out, because far more shops call a customer's id so.
"""
# ruff: noqa: RUF001 (letters of other alphabets are meant)

from __future__ import annotations

import re
from collections.abc import Iterator

from .plain_text import plain

_NAMES = """
    card security code|card security number|card verification|security code|cvv|cvc
    Prüfnummer|Prüfziffer|Kartenprüfnummer|Kartenprüfziffer|Sicherheitscode|Sicherheitsnummer
    code de sécurité|code sécurité|cryptogramme|cryptogramme visuel|numéro de vérification
    código de seguridad|código de verificación|código de segurança|código de verificação|codi de seguretat
    codice di sicurezza|codice sicurezza|beveiligingscode|veiligheidscode|kod bezpieczeństwa|bezpečnostní kód|ochranný kód
    säkerhetskod|sikkerhedskode|sikkerhetskode|kontrolcifre|turvakoodi|turvaluku|tarkistusnumero|turvakood|biztonsági kód
    cod de securitate|sigurnosni kod|varnostna koda|drošības kods|saugos kodas|güvenlik kodu|güvenlik numarası
    κωδικός ασφαλείας|код безопасности|защитный код|проверочный код|код безпеки|код за сигурност|сигурносни код
    kode keamanan|kod keselamatan|mã bảo mật|รหัสความปลอดภัย|सुरक्षा कोड|सीवीवी|رمز الأمان|رمز الحماية|کد امنیتی|קוד אבטחה
    安全码|安全碼|校验码|校驗碼|检查码|セキュリティコード|セキュリティー コード|보안코드|보안 코드
"""
# What people write between the name and the digits.
_BETWEEN = """
    is|was|of|s|the|my|your|card|code|number|value|val|no|nr|num|data|digits|ist|lautet|der|karte|est|le|de|es|el|e|o
    kod|kode|kodu|kód|numero|código|код|コード|码|碼|코드
"""
_GAP = r"[\W_]{0,4}"


def _spelled(name: str) -> str:
    """A name's pattern: between its words anything that is neither letter nor digit, or nothing; CVV also as C.V.V."""
    word = plain(name.strip()).text
    if len(word) == 3 and word.isascii():
        return r"[\W_]?".join(word)
    return _GAP.join(map(re.escape, word.split(" ")))


def _any_of(names: str) -> str:
    return "|".join(_spelled(name) for line in names.strip().splitlines() for name in line.split("|"))


# The short names count only as words of their own, because longer words contain them.
_NAME = rf"(?:(?:{_any_of(_NAMES)})2?|(?<![^\W_])(?:csc|ccv|cv2|cvn2?|cvd|cav2?)(?![^\W\d_]))"
_DIGITS = r"(?<!\d)\d(?:[ .-]?\d){2,3}(?![\W_]?\d)"
_AFTER = re.compile(rf"{_NAME}[\W_]{{0,8}}(?:(?:{_any_of(_BETWEEN)})[\W_]{{1,4}}){{0,4}}{_DIGITS}")
_GLUED = re.compile(rf"{_NAME}\d{{3,4}}(?!\d)")
_BEFORE = re.compile(
    rf"(?<!\d)(?<!\d[^\w])\d{{3,4}}{_GAP}(?:(?:is|as|my|the|ist|est){_GAP}){{0,3}}(?:cvv|cvc)(?!\w)"
)
_ANY_NAME = re.compile(_NAME)
# A piece of every name, because looking for all of them is slow and most texts hold none of these.
_PIECE = re.compile(
    r"c[\W_]?[vs][\W_]?[cvnd2]|ccv|cav|[ck]oo?d|num|ziff|cifr|luku|crypt|verif|bao|[^\x00-\x7f]"
)
_THREE_DIGITS = re.compile(r"\A(?:\D*+\d){3}")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_CODE = re.compile(r" ?\d(?:[ .-]?\d){2,3} ?")


def codes_in(text: str) -> Iterator[tuple[int, int]]:
    """Where security codes stand in text that `plain` has read, with their names."""
    if not may_name_a_code(text) or _THREE_DIGITS.match(text) is None or _ANY_NAME.search(text) is None:
        return
    for pattern in (_AFTER, _GLUED, _BEFORE):
        for found in pattern.finditer(text):
            yield found.span()


def may_name_a_code(text: str) -> bool:
    """A quick first look at text in small letters: False is certain."""
    return _PIECE.search(text) is not None


def names_a_code(name: str) -> bool:
    """Whether a field of this name is for a security code: `cvv`, `myCvv`, `card_security_code`, `Prüfnummer`."""
    return may_name_a_code(name.lower()) and _ANY_NAME.search(plain(_CAMEL.sub(" ", name)).text) is not None


def may_be_a_code(value: object) -> bool:
    """Whether a value has a security code's form: three or four digits, in whatever script."""
    return not isinstance(value, bool) and _CODE.fullmatch(plain(str(value)).text) is not None
