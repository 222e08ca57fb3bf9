"""The small vocabulary: an office and its meetings.

Names must sound different from each other: a recogniser can't choose between ``Mark`` and ``Marc``.
"""

from __future__ import annotations

from typing import NamedTuple


class Verb(NamedTuple):
    """A verb in the three forms that the sentence patterns need."""

    base: str
    past: str
    gerund: str


def _verbs(table: str) -> tuple[Verb, ...]:
    return tuple(Verb(*row.split("/")) for row in table.split())


FIRST_NAMES = (
    "Adam Alice Amara Anna Anton Beatrice Ben Bruno Camila Carlos Charlotte Chen Clara Daniel "
    "David Diana Dmitri Edward Elena Emma Felix Fiona Frank George Grace Hassan Helen "
    "Henry Hugo Igor Ingrid Isabel Ivan Jack James Jasmine Julia Karim Kevin Laura Leo Lucas "
    "Maria Martin Maya Michael Minh Monica Nadia Nathan Nina Oliver Oscar Patrick Paul Peter "
    "Priya Quentin Rachel Ravi Robert Rosa Samuel Sandra Simon Sofia Stefan Susan Tanya Theresa "
    "Thomas Tobias Ursula Vera Victor Walter William Yasmin Yuki Zoe"
).split()

SURNAMES = (
    "Anderson Bennett Carter Diaz Fischer Foster Garcia Gupta Hoffman Jensen Johnson Keller Kim "
    "Kowalski Larsen Lopez Martinez Miller Morgan Murphy Nguyen Novak Okafor Parker Patel Peterson "
    "Romano Schmidt Silva Sullivan Suzuki Taylor Thompson Turner Walker Weber Wilson"
).split()

PROJECTS = (
    "Apollo Atlas Aurora Beacon Bluebird Cedar Compass Dolphin Eclipse Falcon Galaxy Horizon "
    "Juniper Lighthouse Magnolia Mercury Monarch Neptune Orchid Phoenix Sapphire Summit Tiger Vega"
).split()

COMPANIES = (
    "Brightwater|Silverline|Northgate|Greenfield Energy|Oakwood Logistics|Harbor Bank|"
    "Redstone Media|Bluepeak|Maple Health|Ironbridge|Sunrise Foods|Clearview"
).split("|")

CITIES = (
    "Amsterdam Barcelona Berlin Boston Chicago Copenhagen Dublin Geneva Hanoi Lisbon London Madrid "
    "Milan Munich Nairobi Oslo Paris Prague Rome Seattle Singapore Stockholm Sydney Tokyo Toronto "
    "Vienna Warsaw Zurich"
).split()

TEAMS = (
    "finance|marketing|sales|design|legal|support|security|research|platform|mobile|hardware|"
    "quality|operations|procurement|data|product"
).split("|")

DOCUMENTS = (
    "budget|contract|project plan|status report|risk register|test plan|design document|"
    "press release|user guide|invoice|price list|schedule|security report|hiring plan|roadmap|"
    "customer survey|training material|cost estimate|release report|quarterly report|proposal|"
    "presentation|migration plan|backup plan|checklist|job description|sales forecast"
).split("|")

COMPONENTS = (
    "login page|payment service|search index|mobile app|database|web site|message queue|"
    "build server|dashboard|audio pipeline|speech model|test environment|backup system|network|"
    "power supply|camera module|data export|billing system|prototype|monitoring|installer|"
    "transcription service|file upload|new interface|device firmware|memory limit"
).split("|")

SUPPLIES = (
    "laptops|monitors|headsets|microphones|circuit boards|power adapters|cables|chairs|licenses|"
    "test devices|servers|phones|batteries|sensors|printers"
).split("|")

EVENTS = (
    "customer demo|launch|team workshop|trade fair|board meeting|product review|training session|"
    "kickoff|code freeze|pilot|audit|conference|interview|site visit|release"
).split("|")

TOPICS = (
    "the budget|hiring|the release plan|customer feedback|the office move|test results|security|"
    "the marketing campaign|the supplier contract|the training program|performance|"
    "the support backlog|the pilot project|the data migration|quality|the product launch|"
    "the audit|equipment|documentation|the roadmap"
).split("|")

MEETING_KINDS = (
    "weekly meeting|planning meeting|status meeting|review meeting|project meeting|kickoff meeting|"
    "monthly meeting|team meeting|budget meeting|design review"
).split("|")

PROBLEMS = (
    "delivery is late|tests are too slow|costs are rising|customers are waiting|"
    "supplier has not answered|numbers do not match|documentation is out of date|"
    "server runs out of memory|battery drains too fast|release is blocked|"
    "demand is lower than expected|audio quality is poor"
).split("|")

PROPOSALS = (
    "hire two more engineers|move the meeting online|use a second supplier|"
    "start with a small pilot|cancel the old contract|reduce the travel budget|"
    "extend the test phase|offer a discount|freeze the scope|open a new office|"
    "buy new equipment|change the supplier|automate the tests|publish the results|"
    "postpone the launch|keep the current design|raise the price|split the team|"
    "skip the trade fair|replace the old servers|close the support backlog|"
    "write a shorter report|ask for more funding|repeat the survey"
).split("|")

DOCUMENT_VERBS = _verbs(
    "update/updated/updating review/reviewed/reviewing finish/finished/finishing "
    "prepare/prepared/preparing check/checked/checking rewrite/rewrote/rewriting "
    "approve/approved/approving translate/translated/translating publish/published/publishing "
    "print/printed/printing correct/corrected/correcting share/shared/sharing"
)
COMPONENT_VERBS = _verbs(
    "fix/fixed/fixing test/tested/testing replace/replaced/replacing install/installed/installing "
    "measure/measured/measuring configure/configured/configuring restart/restarted/restarting "
    "document/documented/documenting redesign/redesigned/redesigning deploy/deployed/deploying "
    "benchmark/benchmarked/benchmarking repair/repaired/repairing"
)
EVENT_VERBS = _verbs(
    "organize/organized/organizing plan/planned/planning announce/announced/announcing "
    "reschedule/rescheduled/rescheduling cancel/canceled/canceling confirm/confirmed/confirming "
    "attend/attended/attending record/recorded/recording"
)
CONTACT_VERBS = _verbs(
    "call/called/calling contact/contacted/contacting visit/visited/visiting "
    "invite/invited/inviting remind/reminded/reminding"
)

ADJECTIVES = (
    "good|ready|late|complete|expensive|important|urgent|difficult|stable|clear|risky|possible|"
    "simple|useful|available|missing"
).split("|")
