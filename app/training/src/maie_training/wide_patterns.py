"""Sentence patterns beyond the small set.

15 % of them, by hash, are held out (:mod:`splits`): they tell how it does on sentences of new shapes.
"""

from __future__ import annotations

STATUS = (
    "This week {name} {task_past}.",
    "{name} and {name2} {task_past} on {date}.",
    "Since {weekday} the {component} has been {adjective}.",
    "The {document} went to {company} on {date}.",
    "{company} sent us {number} {supply}, but {number2} of them were broken.",
    "As of today we have {figure} users in {city}.",
    "The bill of {company} came to {price}.",
    "In {month} the {team} team answered {figure} requests.",
    "The {component} runs at {share} of its capacity.",
    "Version {version} of the {component} is out since {weekday}.",
    "{full} has left the {team} team, {name} takes over.",
    "{full} will be our contact at {company} from {month} on.",
    "Our colleagues in {city} are {task_gerund}.",
    "After the {event} we got {number} complaints about the {component}.",
    "I spoke with {name} and {name2} from {company} at {time}.",
    "Nobody has looked at the {document} since {month}.",
    "Thanks to {name} the {component} is {adjective} again.",
    "The {event} was attended by {figure} people from {city} and {city2}.",
    "Half of the {supply} have arrived in {city}.",
    "There is good news from {company}, the {document} was signed.",
    "We measured {number} degrees next to the {component}.",
    "Project {project} and Project {project2} share the {component}.",
    "The {team} team in {city} is waiting for {number} {supply}.",
    "Between {month} and {month2} the costs went up by {share}.",
    "Room {figure} is booked for the {event} from {time} to {time2}.",
    "My report is short, the {document} is {adjective} and the {component} works.",
    "{company} and {company2} both want the {document} by {month}.",
    "The {component} stopped at {time} and was back at {time2}.",
    "We lost {number} hours because the {problem}.",
    "The contact number of {full} is {digits}.",
)
QUESTIONS = (
    "Where is the {document}?",
    "Did {name} get the {supply} from {company}?",
    "What did {company} say about the {component}?",
    "Whose job is it to {task}?",
    "Could we {proposal} instead?",
    "Is {full} still working for {company}?",
    "Which of the {supply} are still missing?",
    "Do we know why the {problem}?",
    "{name}, have you seen the {document}?",
    "How far are we with the {component}?",
    "Can somebody explain the {document} to {name}?",
    "What does it cost to {proposal}?",
    "Are {number} {supply} enough for {city}?",
    "When does the {event} in {city} begin?",
)
OPINIONS = (
    "To be fair, the {document} was never {adjective}.",
    "I doubt that {company} can deliver {number} {supply} by {month}.",
    "We might {proposal}, and {name} could help.",
    "For me the {component} comes before the {component2}.",
    "Whatever happens, we should not {proposal}.",
    "It is {adjective}, because the {problem}.",
    "My feeling is that {share} is too much.",
    "If {name} agrees, the {team} team can {task}.",
    "Nothing speaks against it, as long as we {proposal}.",
    "The {event} matters more than the {document}.",
    "We can live with {number} {supply} for now.",
    "I like the idea of {name2}, but {name} has a point.",
    "Sooner or later we have to {proposal}.",
)
DECISIONS = (
    ("It is settled then, we {proposal}.", "{proposal}"),
    ("All in favor, so we {proposal}.", "{proposal}"),
    ("Let us agree on this, we {proposal} before the {event}.", "{proposal} before the {event}"),
    ("The result of the vote is that we {proposal}.", "{proposal}"),
    ("Good, then it is decided to {proposal} in {city}.", "{proposal} in {city}"),
    ("We are going to {proposal}, that is decided.", "{proposal}"),
    ("For the minutes, we take {number} {supply} from {company}.", "take {number} {supply} from {company}"),
    ("We settle on {company} for the {event}.", "settle on {company} for the {event}"),
    ("Agreed, the {event} takes place in {city}.", "hold the {event} in {city}"),
    ("Decision made, we pay {price} for the {supply}.", "pay {price} for the {supply}"),
    ("So we all agree to {proposal} from {month} on.", "{proposal} from {month} on"),
    ("Let us put it on record, we end Project {project} in {month}.", "end Project {project} in {month}"),
)
REQUESTS = (
    "{name}, I need you to {task} by {due}.",
    "May I ask you to {task} by {due}, {name}?",
    "{name}, would you {task} until {due}?",
    "Let us ask {name} to {task} by {due}.",
    "It is up to {name} to {task} by {due}.",
    "By {due} {name} should {task}.",
    "Please note, {name} is going to {task} by {due}.",
    "{name}, can you take care of this and {task} by {due}?",
    "I am counting on {name} to {task} before {due}.",
    "Then {name} gets the task to {task} by {due}.",
    "{name} promised to {task} by {due}.",
    "We expect {name} to {task} no later than {due}.",
)
OPEN_REQUESTS = (
    "{name}, would you {task} at some point?",
    "At some point {name} has to {task}.",
    "Without any hurry, {name}, please {task}.",
    "Let us have {name} {task}, the date is open.",
    "{name} takes on to {task}, no date yet.",
    "Whenever it suits you, {name}, {task}.",
)
ACCEPTANCES = (
    "Consider it done by {due}.",
    "Fine, {due} it is.",
    "I can manage that by {due}.",
    "Of course, I will {task}.",
    "You can count on me, {due} works.",
    "That is tight, but I will try to {task} by {due}.",
    "With pleasure, I will be ready by {due}.",
)
VOLUNTEERS = (
    "I am happy to {task} by {due}.",
    "Leave it to me, I will {task} by {due}.",
    "I could {task} by {due}.",
    "Put me down for this, I will {task} by {due}.",
    "By {due} I will {task}.",
    "I promise to {task} no later than {due}.",
    "I volunteer to {task} by {due}.",
)
THANKS = (
    "Thank you, {name}.",
    "Great, thank you, {name}.",
    "All right, {name}.",
    "That sounds good, {name}.",
    "Good idea, {name}.",
    "That is very kind of you, {name}.",
    "Then {name} does it.",
    "Perfect, {name}, I have written it down.",
)
TOPIC_OPENERS = (
    "Next on the list is {topic}.",
    "First of all, {topic}.",
    "Then there is {topic}.",
    "Point number {digit} on the agenda is {topic}.",
    "We should also speak about {topic}.",
    "That brings us to {topic}.",
    "On to {topic}.",
    "I would like to turn to {topic}.",
)
GREETINGS = (
    "Welcome to the {kind} of Project {project}.",
    "Thanks for coming to the {kind} for Project {project}.",
    "Okay, everybody is here, so I open the {kind} of Project {project}.",
    "Good evening, this is the {kind} on Project {project}.",
    "Let us get going with the {kind} for Project {project}.",
    "I am glad to see you all at the {kind} of Project {project}.",
)
DATES_OF_MEETING = (
    "The date is {today}.",
    "We are meeting on {today}.",
    "Please write down the date, {today}.",
    "This meeting takes place on {today}.",
)
CLOSINGS = (
    "Let us meet again on {date} at {clock}.",
    "I will see you on {weekday} at {time}.",
    "The invitation for {date} will follow.",
    "That was the last topic, the next meeting is in {city}.",
    "We are done for today, more on {date}.",
)
