"""Stack traces of Java, Kotlin and what else runs on the JVM.

Decides which exception of a text counts: the root, which is the last `Caused by:`, or the first where the logger
writes `Wrapped by:`; never a suppressed one. The frames that `... 23 more` leaves out are those of the exception
around it. Whether a frame is own goes by its package: what the lists below do not know is own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from incident.analysis.stacks import LOOK_BACK, Frame, Stack, cut_lines

PACKAGES = (
    "akka. ch.qos. com.amazonaws. com.fasterxml. com.google. com.mongodb. com.mysql. com.sun. com.zaxxer. groovy. "
    "io.grpc. io.ktor. io.lettuce. io.micrometer. io.micronaut. io.netty. io.opentelemetry. io.quarkus. io.reactivex. "
    "io.undertow. io.vertx. jakarta. java. javax. jdk. kotlin. kotlinx. net.bytebuddy. okhttp3. okio. org.apache. "
    "org.codehaus. org.eclipse. org.glassfish. org.gradle. org.hibernate. org.jboss. org.jetbrains. org.junit. "
    "org.postgresql. org.slf4j. org.springframework. org.xnio. reactor. redis.clients. scala. software.amazon. sun."
)
LIBRARIES = tuple(PACKAGES.split())
GENERATED = re.compile(r"\$\$(?:Lambda|Enhancer|SpringCGLIB|FastClass|_)|GeneratedMethodAccessor|\$Proxy\d")
FRAME = re.compile(
    r"^(?P<indent>[ \t]*)at (?P<module>[^\s()/]{0,200}/[^\s()/]{0,200}/|[^\s()/]{1,200}/)?"
    r"(?P<class>[^\s()]{1,500})\.(?P<method>[^\s().]{1,200})\((?P<file>[^():]{0,200})(?::(?P<line>\d{1,9}))?\)"
    r"(?: ~?\[[^\]]{0,300}\])?$"
)
TYPE = r"(?P<type>(?:[a-z_][\w$-]*\.)*[A-Z][\w$]*)(?:: ?(?P<message>.*))?$"
LED = re.compile(
    r'^(?P<indent>[ \t]*)(?P<lead>Exception in thread "[^"]{0,200}" |Caused by: |Wrapped by: |Suppressed: )' + TYPE
)
HEADINGS = (
    re.compile(r"^[ \t]*(?=[\w.$]*(?:\.|Exception|Error|Throwable)(?![a-z]))" + TYPE),
    re.compile(r"(?<![\w.$])(?P<type>(?:[a-z_][\w$]*\.)+[A-Z][\w$]*)(?:: ?(?P<message>.*))?$"),
    re.compile(r"^[ \t]*" + TYPE),
)
"""How an exception's line may look that nothing leads, the surest first."""
MORE = re.compile(r"^[ \t]+\.\.\. (?P<count>\d{1,5}) (?:more|common frames)")
NO_CLASS = re.compile(r"^(?:Could not initialize class )?(?P<name>[\w.$/]{1,300})$")
NO_MEMBER = re.compile(r"(?P<name>[\w.$]{1,300})(?:\([^)]{0,300}\))?'?$")
MISSING = {"ClassNotFoundException": NO_CLASS, "NoClassDefFoundError": NO_CLASS,
           "NoSuchMethodError": NO_MEMBER, "NoSuchFieldError": NO_MEMBER}  # fmt: skip

MOST_SHARED = 1024
"""Frames, as many as the JVM writes of one exception."""


@dataclass
class Section:
    """One exception of a chain, as far as its own lines tell it."""

    lead: str
    type: str
    message: str
    frames: list[Frame] = field(default_factory=list)
    more: int = 0


def read(text: str) -> Stack | None:
    """The root of the last exception in a text, or None.

    >>> read('''Exception in thread "main" java.lang.IllegalStateException: closed
    ... \\tat com.acme.chat.Hub.send(Hub.java:12)''').frames
    (Frame(file='com/acme/chat/Hub.java', line=12, function='Hub.send', own=True),)
    """
    if "\tat " not in text and " at " not in text:
        return None
    chain = _chain(cut_lines(text))
    if not any(section.frames or section.lead.startswith("Exc") for section in chain):
        return None
    wrapped = any(section.lead == "Wrapped by: " for section in chain)
    root, frames = _root(chain[::-1] if wrapped else chain)
    exception = root.type.rpartition(".")[2]
    return Stack("java", exception, root.message, tuple(frames), _missing(exception, root.message))


def _chain(lines: list[str]) -> list[Section]:
    """The exceptions of the last chain, in the order of the text, without the suppressed."""
    chain: list[Section] = []
    suppressed: str | None = None
    since = 0
    for at, line in enumerate(lines):
        if found := LED.match(line):
            if suppressed is not None and len(found["indent"]) > len(suppressed):
                continue
            suppressed = found["indent"] if found["lead"] == "Suppressed: " else None
            if suppressed is None:
                if found["lead"].startswith("Exception"):
                    chain = []
                chain.append(_section(found))
                since = len(lines)
        elif frame := FRAME.match(line):
            if suppressed is not None and len(frame["indent"]) > len(suppressed):
                continue
            if (heading := _heading(lines, since, at)) is not None:
                chain, suppressed = [heading], None
            since = at + 1
            if chain:
                chain[-1].frames.append(_frame(frame))
        elif chain and suppressed is None and (more := MORE.match(line)):
            chain[-1].more, since = int(more["count"]), at + 1
    return chain


def _section(found: re.Match[str]) -> Section:
    lead = found["lead"] if "lead" in found.re.groupindex else ""
    return Section(lead, found["type"], found["message"] or "")


def _heading(lines: list[str], since: int, at: int) -> Section | None:
    """The exception that begins on one of the lines since the last frame, the nearest first."""
    before = lines[max(since, at - LOOK_BACK) : at][::-1]
    found = next((found for pattern in HEADINGS for line in before if (found := pattern.search(line))), None)
    return _section(found) if found else None


def _root(chain: list[Section]) -> tuple[Section, list[Frame]]:
    """The innermost cause and its frames, with those that it shares with the exceptions around it."""
    frames: list[Frame] = []
    for section in chain:
        shared = frames[-section.more :][:MOST_SHARED] if section.more else []
        frames = section.frames + shared
    return chain[-1], frames


def _frame(found: re.Match[str]) -> Frame:
    name = found["class"]
    package, _, simple = name.rpartition(".")
    own = not name.startswith(LIBRARIES) and not GENERATED.search(f"{found['module'] or ''}{name}")
    file = f"{package.replace('.', '/')}/{found['file']}".lstrip("/")
    return Frame(file, int(found["line"] or 0), f"{simple}.{found['method']}", own)


def _missing(exception: str, message: str) -> str:
    """The class or member that the code was built against and that is not there."""
    pattern = MISSING.get(exception)
    found = pattern.search(message) if pattern else None
    return found["name"].replace("/", ".") if found else ""
