// Phrases with a meaning of their own: yes, no, stop, thanks; and what makes a sentence no wish for now: not, later, if.

export const CANCEL =
  /^(?:(?:no|nein|nee|noe|stop|stopp|halt|cancel|abort|abbrechen|abbruch|never mind|nevermind|forget it|forget that|vergiss es|lass es|lass das|lieber nicht|doch nicht|dont|do not|cancel that|cancel it|abort that|brich ab|nicht|stop that|no thanks|nein danke|leave it|lass gut sein|zurueck|quit|undo)[ ,]*)+(?:please|bitte|jarvis|thanks|danke)*$/
export const CONFIRM =
  /^(?:(?:confirm|proceed|yes|ja|jawohl|go ahead|bestaetigen?|bestaetigt|ich bestaetige|confirmed|ok|okay|sure)(?: .*)?|do it|mach das|mach es|tu es)$/
export const CORRECTION =
  /^.*\b(?:i mean|i meant|no wait|ich meine|ich meinte|nein warte|sorry|besser gesagt|quatsch)[ ,.:…]+/i
export const STOP_ALL =
  /\b(?:emergency stop|e stop|estop|not ?aus|notstopp?|not ?halt|stop (?:everything|all machines|all|the whole (?:shop|workshop))|everything stop|halt everything|alles (?:stopp?(?:en)?|anhalten|halt)|stopp? (?:alles|alle maschinen)|halte? (?:alles|alle maschinen) an|alle maschinen (?:stopp?(?:en)?|anhalten|halt))\b/
export const THANKS = /^(?:thanks?(?: you)?|danke(?: schoen| dir)?|thx|cheers|great|super|perfekt|prima)(?: .{0,20})?$/
export const HELP = /^(?:help|hilfe|what can you do|what can i say|was kannst du(?: alles)?|was kann ich sagen)$/
export const NEGATED =
  /\b(?:dont|do not|never|must not|should not|shouldnt|wont|cant|niemals|nicht(?! (?:so|ganz|mehr))|auf keinen fall|keinesfalls|kein(?:e|en)?(?!(?: \w+)* mehr))\b/
export const NOT_A_NO =
  /\b(?:why not|warum nicht|koenntest du nicht|kannst du nicht|wouldnt you|couldnt you|cant you|wont you|not so|nicht mehr|anymore)\b/
export const CONDITION =
  /\b(?:if|when|whenever|once|unless|until|as soon as|wenn|falls|sobald|sofern|bis|solange|immer|always|every (?:day|morning|evening|night)|jeden (?:tag|morgen|abend))\b/
export const WHETHER =
  /\b(?:tell me if|check if|see if|know if|wenn (?:du|sie|es) (?:kannst|koenntest|koennen|geht|moeglich)|if (?:you|it|possible)|when you (?:can|get)|at once|bis auf|once more|once again|all at once|immer noch|once)\b/
export const LATER =
  /\b(?:in (?:\d+|an?|one|two|three|five|ten|fifteen|twenty|thirty|half|einer?|zwei|drei|fuenf|zehn|fuenfzehn|zwanzig|dreissig) ?(?:an? |halben? )?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|tagen?|days?|h)|(?:at|by|um|gegen|ab|after|nach) (?:\d{1,2}(?:[:.]\d\d)?|halb \w+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|eins|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|elf|zwoelf) ?(?:am|pm|oclock|o clock|uhr)|at (?:noon|midnight|sunset|sunrise)|tomorrow|morgen (?:frueh|abend|um|mittag)|uebermorgen|heute (?:abend|nacht|nachmittag)|later|spaeter|tonight|nachher|next (?:week|monday))\b/
export const DURATION =
  /\b(?:for|fuer) (?:(?:the )?(?:next|die naechsten?) )?(?:\d+|an?|one|two|three|five|ten|fifteen|twenty|thirty|einer?|eine|zwei|drei|fuenf|zehn|fuenfzehn|zwanzig|dreissig|half an) ?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|h)\b|\b(?:\d+|zehn|fuenf|zwanzig|dreissig) (?:minuten|stunden|sekunden) lang\b/
