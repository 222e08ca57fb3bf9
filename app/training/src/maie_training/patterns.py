"""Sentence patterns of the meeting language. ``{slot}`` is filled by :mod:`slots`.

A digit after a slot's name only tells two draws of it apart: ``{name}`` and ``{name2}``.
"""

from __future__ import annotations

STATUS = (
    "{name} {task_past} last week.",
    "{name} is {task_gerund} at the moment.",
    "We have not {participle} yet.",
    "The {document} is {adjective}.",
    "The {document} for Project {project} is almost {adjective}.",
    "The {component} is {percent} percent complete.",
    "The {component} was down for {number} hours on {weekday}.",
    "The {event} in {city} went very well.",
    "The {team} team needs {number} more {supply}.",
    "We received {number} {supply} from {company} yesterday.",
    "Last month we spent {money} on {supply}.",
    "Sales grew by {percent} percent in {month}.",
    "{number_cap} customers reported problems with the {component}.",
    "The {component} is now {percent} percent faster than before.",
    "{company} has approved the {document}.",
    "I talked to {full} from {company} about the {document}.",
    "We are {number} days behind schedule on Project {project}.",
    "The tests of the {component} failed on {weekday} morning.",
    "Our office in {city} has hired {number} new people.",
    "The {team} team {task_past} on {weekday}.",
    "Project {project} will cost about {money}.",
    "So far {percent} percent of the users have tried the {component}.",
    "There were {big} visitors at the {event}.",
    "{name} and {name2} worked on the {component} together.",
    "I finished {task_gerund} on {date}.",
    "The {component} passed all {number} tests.",
    "The {event} starts at {clock} on {weekday}.",
    "We shipped version {digit} point {digit2} on {date}.",
)

QUESTIONS = (
    "When will the {document} be {adjective}?",
    "Who can {task}?",
    "How many {supply} do we need for the {event}?",
    "{name}, what is the status of the {component}?",
    "Has {company} answered our question about the {document}?",
    "Can we finish the {component} before the {event}?",
    "Is it {adjective} to {task} this week?",
    "Why did the {component} fail on {weekday}?",
    "How much money is left for Project {project}?",
    "Does anyone know if {full} will attend the {event}?",
    "What happens if the {problem}?",
    "Should we {proposal}?",
    "Could you tell us more about {topic}, {name}?",
    "How long does it take to {task}?",
)

OPINIONS = (
    "I think we should {proposal}.",
    "In my opinion the {document} is not {adjective} enough.",
    "I agree with {name}, the {document} is {adjective}.",
    "I am worried because the {problem}.",
    "The main risk is that the {problem}.",
    "My suggestion is to {proposal} and to {task}.",
    "If the {problem}, we have to {proposal}.",
    "From my point of view {topic} is more {adjective} than {topic2}.",
    "It would be better to {proposal} before the {event}.",
    "I would rather {task} first.",
    "{name} is right, we can not wait until {month}.",
    "Maybe the {team} team can help us with the {component}.",
    "We could {proposal}, but the {problem}.",
    "That would save us about {money} a year.",
    "It takes at least {number} weeks to {task}.",
)

# The sentence, and the decision as the notes have it.
DECISIONS = (
    ("We decided to {proposal}.", "{proposal}"),
    ("So the decision is to {proposal}.", "{proposal}"),
    ("Then we agree to {proposal} in {month}.", "{proposal} in {month}"),
    ("We will {proposal} as soon as possible.", "{proposal} as soon as possible"),
    ("The decision is final, we {proposal}.", "{proposal}"),
    ("Everyone agrees that we {proposal} by {date}.", "{proposal} by {date}"),
    ("We have decided to spend {money} on {supply}.", "spend {money} on {supply}"),
    ("Okay, we move the {event} to {date}.", "move the {event} to {date}"),
    ("We choose {company} for the {component}.", "choose {company} for the {component}"),
    ("Let us order {number} {supply} from {company}.", "order {number} {supply} from {company}"),
)

# How one person gives a task to another; all have {name}, {task}, {due}.
REQUESTS = (
    "{name}, could you {task} by {due}?",
    "{name}, please {task} by {due}.",
    "Can you {task} until {due}, {name}?",
    "The next action item is for {name}, please {task} by {due}.",
    "{name} will {task} by {due}.",
    "{name} has to {task} before {due}.",
    "I would like {name} to {task} by {due}.",
    "Action item for {name}, {task} by {due}.",
)
OPEN_REQUESTS = (
    "{name}, could you {task}?",
    "{name}, please {task}.",
    "{name} will {task} when there is time.",
    "There is no deadline, but {name} should {task}.",
)
ACCEPTANCES = (
    "Yes, I will {task} by {due}.",
    "Sure, I can {task} by {due}.",
    "No problem, you will have it by {due}.",
    "Okay, I will do that before {due}.",
    "{due_cap} is fine for me.",
    "I will start right away and finish by {due}.",
)
# One person takes a task without being asked; the speaker is the assignee.
VOLUNTEERS = (
    "I will {task} by {due}.",
    "I can {task}, let me do that by {due}.",
    "Let me {task} by {due}.",
    "I take the action item to {task} by {due}.",
)

# How the chair answers a volunteer, where people are named aloud: in sentences of OPINIONS.
THANKS = (
    "I agree with {name}, the {document} is {adjective}.",
    "{name} is right, we can not wait until {month}.",
)

TOPIC_OPENERS = (
    "Let us start with {topic}.",
    "The next topic is {topic}.",
    "Let us move on to {topic}.",
    "Now we come to {topic}.",
    "What is new about {topic}?",
    "Let us talk about {topic} now.",
)
GREETINGS = (
    "Good morning everyone, welcome to the {kind} of Project {project}.",
    "Hello everybody, this is the {kind} for Project {project}.",
    "Good afternoon, thank you all for joining the {kind} of Project {project}.",
    "Hi everyone, let us begin the {kind} for Project {project}.",
)
DATES_OF_MEETING = (
    "Today is {today}.",
    "It is {today}.",
    "For the minutes, today is {today}.",
)
CLOSINGS = (
    "Our next meeting is on {date} at {clock}.",
    "We will meet again on {weekday} at {clock}.",
    "See you all on {weekday} in {city}.",
    "The next {kind} will be on {date}.",
)

# Short phrases without slots: they are the same on both sides of every split.
ANSWERS = (
    "Yes.|No.|Okay.|Sure.|I agree.|That sounds good.|Good idea.|Thank you.|Exactly.|That is right.|"
    "I am not sure about that.|Good point.|Let me think about it.|Yes, that works for me.|"
    "No, I do not think so.|All right.|Great, thank you.|I will check that."
).split("|")
FAREWELLS = (
    "Thank you everyone.|Thanks everybody, goodbye.|That is all for today, thank you.|"
    "The meeting is closed, have a nice day.|Okay, bye."
).split("|")

# Patterns that only single sentences use.
MISCELLANEOUS = (
    "Please open the {document} on page {number}.",
    "The train to {city} leaves at {clock}.",
    "{full} from the {team} team joined us in {month}.",
    "The door code is {digit} {digit2} {digit3} {digit4}.",
    "Call me on {weekday} after {clock}.",
    "The invoice of {company} is over {money}.",
    "We met {full} at the {event} in {city}.",
    "The transcript and the summary will be ready in {number} minutes.",
    "Can everyone hear me?",
    "Please record the meeting and send the minutes to {name}.",
    "The recording is {number} minutes and {number2} seconds long.",
    "The room on the {ordinal} floor is booked from {clock} to {clock2}.",
    "{name} lives in {city} and works for {company}.",
    "The temperature of the device rose to {percent} degrees.",
    "This is the {ordinal} time that the {problem}.",
    "Both {name} and {name2} are on vacation until {date}.",
    "The speech service runs on {number} devices in {city}.",
    "We counted {big} words in {number} recordings.",
)

SINGLE_GROUPS: tuple[tuple[str, ...], ...] = (
    STATUS,
    STATUS,
    QUESTIONS,
    OPINIONS,
    tuple(sentence for sentence, _ in DECISIONS),
    REQUESTS,
    (*OPEN_REQUESTS, *ACCEPTANCES, *VOLUNTEERS),
    (*TOPIC_OPENERS, *GREETINGS, *DATES_OF_MEETING, *CLOSINGS),
    MISCELLANEOUS,
)
