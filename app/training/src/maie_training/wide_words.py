"""More words than the small vocabulary has.

They make the language model's small world larger, so that it learns to copy what it does not know.
"""

from __future__ import annotations

from maie_training import words
from maie_training.words import Verb


def _more(known: tuple[str, ...] | list[str], new: str) -> tuple[str, ...]:
    return (*known, *new.split("|"))


DOCUMENTS = _more(
    words.DOCUMENTS,
    "annual report|travel policy|style guide|incident report|meeting agenda|data sheet|business case|wiring diagram|"
    "privacy notice|license agreement|onboarding guide|safety manual|expense report|research paper|newsletter|"
    "organization chart|delivery note|purchase order|tax form|audit trail|handbook|white paper|product catalog|"
    "vacation plan|shift plan|tender|floor plan|blueprint|logbook|questionnaire",
)
COMPONENTS = _more(
    words.COMPONENTS,
    "elevator|heat pump|conveyor belt|coffee machine|fire alarm|access control|web shop|chat bot|cache|load balancer|"
    "firewall|license server|router|charging station|ticket system|calendar|video wall|translation tool|robot arm|"
    "cooling fan|wiring|user directory|mail gateway|log archive|scanner|touch screen|solar panel|pump|valve|gearbox",
)
SUPPLIES = _more(
    words.SUPPLIES,
    "desks|keyboards|gloves|helmets|screws|motors|tablets|routers|whiteboards|pallets|filters|lamps|badges|tickets|"
    "fuses|valves|bolts|cartridges|hard disks|boxes",
)
EVENTS = _more(
    words.EVENTS,
    "summer party|hackathon|webinar|inspection|inventory|election|anniversary|fire drill|open day|press conference|"
    "handover|stress test|ground breaking|farewell party|family day|strategy day|retreat",
)
TOPICS = _more(
    words.TOPICS,
    "the canteen|parking|remote work|the energy bill|the new logo|data protection|travel costs|the night shift|"
    "the warehouse|spare parts|the website|complaints|the holiday season|recruiting|the newsletter|translations|"
    "the test lab|insurance|taxes|the elevator|the calendar|accessibility|the price increase|the partner program|"
    "working hours|the merger|sustainability|the intranet",
)
MEETING_KINDS = _more(
    words.MEETING_KINDS,
    "steering committee|daily standup|retrospective|sales meeting|board meeting|works council|crisis meeting|"
    "architecture review|annual meeting|quarterly meeting|sprint review|round table|production meeting",
)
PROBLEMS = _more(
    words.PROBLEMS,
    "warehouse is full|license has expired|elevator is out of order|password was lost|key person is sick|"
    "weather is getting worse|certificate is invalid|prices are going up|roof is leaking|data is incomplete|"
    "schedule is too tight|customer has complained|budget was cut|line was stopped|translation is wrong",
)
PROPOSALS = _more(
    words.PROPOSALS,
    "rent a bigger hall|train the new colleagues|sell the old machines|work on two shifts|renew the insurance|"
    "stop the campaign|share the costs|move the servers to the basement|ask a lawyer|switch the provider|"
    "repaint the hall|introduce a new logo|shorten the meetings|invite the press|pay the invoice at once|"
    "measure everything again|return the goods|open the gate earlier|drop the second phase|lower the temperature|"
    "write down the rules|merge both teams|appoint a deputy|test with fewer users",
)
DOCUMENT_VERBS = (
    *words.DOCUMENT_VERBS,
    *(
        Verb(*row.split("/"))
        for row in (
            "sign/signed/signing send/sent/sending archive/archived/archiving scan/scanned/scanning "
            "draft/drafted/drafting shorten/shortened/shortening collect/collected/collecting "
            "explain/explained/explaining submit/submitted/submitting compare/compared/comparing"
        ).split()
    ),
)
COMPONENT_VERBS = (
    *words.COMPONENT_VERBS,
    *(
        Verb(*row.split("/"))
        for row in (
            "clean/cleaned/cleaning inspect/inspected/inspecting upgrade/upgraded/upgrading "
            "order/ordered/ordering calibrate/calibrated/calibrating paint/painted/painting "
            "move/moved/moving connect/connected/connecting secure/secured/securing label/labeled/labeling"
        ).split()
    ),
)

# For sentences without sense, from which a model learns to copy any words.
COMMON = (
    "a about above across after again all along also although always among an and animal another any apple are around "
    "arm as at away baby back bad ball bank be bear because bed before begin behind below between big bird blue boat "
    "body book both bottle box bread bridge bring brother brown build but by cake camp can car carry cat chair change "
    "child choose circle class clean clear close cloud coat cold color come common corner count country cover cry cup "
    "dance dark day deep desk did different dinner do dog door down draw dream dress drink drive dry during each ear "
    "early earth east easy eat egg either else empty end enough even evening every eye face fact fall family far farm "
    "fast father few field fill film find fire first fish floor flower fly follow food foot for forest forget forward "
    "free friend from front fruit full game garden gave gentle get girl give glass go goes gold grass gray great green "
    "ground grow had hair hall hand happy hard has hat have he head hear heart heavy help her here high hill him his "
    "hold home horse hot hour house how hurry ice if in inside into island it its job join jump just keep key kind "
    "kitchen knife know lake lamp land large last late laugh lead leaf learn leave left leg less lesson letter life "
    "lift light line list listen little live long look lose loud low lunch machine made make man many map mark may me "
    "meal meat middle milk mind minute mirror miss moon more morning most mother mountain mouth much music must my "
    "name near neck need never new next nice night no noise north nose not nothing now of off often oil old on once "
    "only open or orange other our out outside over own page pair paper park part past pen people picture piece place "
    "plant play please point poor pull push put question quick quiet rain read ready red rest rich ride right river "
    "road rock roof room round run sad safe said salt same sand saw say school sea second see seed seem sell send "
    "several shall she ship shoe shop short should show side sing sister sit sky sleep slow small smell snow so some "
    "song soon sound south speak spring stand star start stay step still stone stop story street strong such sugar "
    "summer sun sure sweet swim table take talk tall teach tell than that the their them then there these they thin "
    "thing think this those though through time tired to today together tomorrow too top touch toward town tree try "
    "turn under until up upon us use very visit voice wait walk wall want warm was wash watch water way we wear well "
    "went were west wet what wheel when where which while white who whole whose why wide wild will wind window winter "
    "wish with woman wonder wood word work world would write yard year yellow yes yet you young your"
).split()
