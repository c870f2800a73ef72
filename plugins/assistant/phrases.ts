// Phrases with a meaning of their own: yes, no, stop, thanks; and what makes a sentence no wish for now: not, later, if.

export const CANCEL =
  /^(?:(?:no|nein|nee|noe|stop|stopp|halt|cancel|abort|abbrechen|abbruch|never mind|nevermind|forget it|forget that|vergiss es|lass es|lass das|lieber nicht|doch nicht|dont|do not|cancel that|cancel it|abort that|brich ab|nicht|stop that|no thanks|nein danke|leave it|lass gut sein|zurueck|quit|undo)[ ,]*)+(?:please|bitte|jarvis|thanks|danke)*$/
export const CONFIRM =
  /^(?:(?:confirm|proceed|yes|ja|jawohl|go ahead|bestaetigen?|bestaetigt|ich bestaetige|confirmed|ok|okay|sure)(?: .*)?|do it|mach das|mach es|tu es)$/
export const CORRECTION =
  /^(.*)\b(?:i mean|i meant|no wait|wait no|no sorry|sorry no|or rather|scratch that|no make that|no not that one|ich meine|ich meinte|nein warte|warte nein|nein doch|ach nein|nee doch|quatsch|besser gesagt|beziehungsweise|vielmehr|sorry|(?<=\w.*)actually|no(?=[ ,]+(?:the|not|turn|switch|i|on|off|up|down|open|close|make|set)\b)|(?:nein|nee|ne|doch lieber|oder lieber)(?=[ ,]+(?:das|die|der|den|dem|mach|schalt|ich|an|aus|auf|zu|im|in|beim|am)\b))[ ,.:]+(?=\S)/
/** Calls for attention in front of what is wanted. */
export const ATTENTION =
  /^\s*(?:(?:hold on|hang on|wait(?: (?:a|1) (?:secs?|seconds?|moment|minutes?))?|(?:one|1|just a|ein|einen) (?:secs?|seconds?|moment|minutes?|augenblick)|listen(?: up)?|look|warte(?: mal)?|moment(?: mal)?|hoer mal|pass auf|sag mal|du|oh no|oh dear|oh nein|damn|sorry|excuse me|entschuldigung|hey jarvis|jarvis)\s*,\s*)+/
export const STOP_ALL =
  /\b(?:emergency stop|e stop|estop|not ?aus|notstopp?|not ?halt|stop (?:everything|all machines|all|the whole (?:shop|workshop))|everything stop|halt everything|alles (?:stopp?(?:en)?|anhalten|halt)|stopp? (?:alles|alle maschinen)|halte? (?:alles|alle maschinen) an|alle maschinen (?:stopp?(?:en)?|anhalten|halt))\b/
export const GREETING =
  /^(?:(?:hi|hey|hello|hallo|moin|servus|na|gruess dich|good|guten?|schoenen?|happy|jarvis|there|everyone|zusammen|alle|du|morning|evening|afternoon|night|day|morgen|abend|tag|nacht|feierabend|monday|friday|weekend|wochenende|wie gehts?|gehts?|how are you|how was your (?:night|day)|whats up|was geht|dir|euch|so|today|heute|alles klar|alles gut|bei|and|und) ?)+$/
export const THANKS = /^(?:thanks?(?: you)?|danke(?: schoen| dir)?|thx|cheers|great|super|perfekt|prima)(?: .{0,20})?$/
export const HELP = /^(?:help|hilfe|what can you do|what can i say|was kannst du(?: alles)?|was kann ich sagen)$/
export const NEGATED =
  /\b(?:nobody|no one|noone|niemand|keiner|dont|do not|never|must not|should not|nie|shouldnt|wont|cant|niemals|nicht(?! (?:so|ganz|mehr))|auf keinen fall|keinesfalls|kein(?:e|en)?(?!(?: \w+)* mehr))\b/
export const NOT_A_NO =
  /\b(?:why not|warum nicht|koenntest du nicht|kannst du nicht|wouldnt you|couldnt you|cant you|wont you|not so|nicht mehr|anymore)\b/
export const CONDITION =
  /\b(?:if|when|whenever|once|unless|until|till|as soon as|wenn|falls|sobald|sofern|bis|solange|in case|as long as|provided|assuming|before (?:i|we|you|the|it)|after (?:i|we|you|the|it)|while|bevor|nachdem|vorausgesetzt|waehrend|taeglich|stuendlich|daily|hourly|immer|always|every (?:time|hour|weekday|day|morning|evening|night)|jede[nrs]? (?:tag|morgen|abend|nacht|stunde|woche|mal))\b/
export const WHETHER =
  /\b(?:tell me if|check if|see if|know if|wenn (?:du|sie|es) (?:kannst|koenntest|koennen|geht|moeglich)|if (?:possible|you (?:can|could|like|want|would|please|dont mind|have (?:a|1) (?:moment|second|minute))|its (?:possible|not too much)|it is possible|need be|thats ok\w*)|when you (?:can|get)|before (?:someone|somebody|anyone|anybody|something|anything)|bevor (?:noch )?(?:jemand|einer|was|etwas)|at once|bis auf|once more|once again|all at once|immer noch|once$)/
export const LATER =
  /\b(?:in (?:about |roughly |around |etwa |ungefaehr |circa |ca )?(?:[\d.,]+|an?|one|two|three|four|five|six|seven|eight|nine|ten|fifteen|twenty|thirty|forty|half|einer?|eine|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|fuenfzehn|zwanzig|dreissig|wenigen|ein paar|a few) ?(?:an? |halben? )?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|tagen?|days?|h)|(?:at|by|um|gegen|ab|after|nach) (?:\d{1,2}(?:[:.]\d\d)?|halb \w+|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|noon|midnight|eins|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|elf|zwoelf) ?(?:am|pm|oclock|o clock|uhr)|at (?:noon|midnight|sunset|sunrise)|tomorrow|morgen (?:frueh|abend|um|mittag)|uebermorgen|heute (?:abend|nacht|nachmittag)|later|spaeter|tonight|nachher|next (?:week|monday)|in (?:a|ner?) (?:bit|while|moment)|in (?:einer weile|kuerze)|(?:on|am|next|naechsten) (?:monday|tuesday|wednesday|thursday|friday|saturday|sunday|montag|dienstag|mittwoch|donnerstag|freitag|samstag|sonnabend|sonntag|wochenende)|this (?:evening|afternoon|weekend)|am (?:abend|nachmittag)|(?:bei|nach|vor) sonnen(?:untergang|aufgang)|(?:before|after|vor|nach) (?:dark|lunch|dinner|work|breakfast|bed|dem essen|der arbeit|feierabend|mitternacht))\b/
/** `at six`, `um sechs`: a time of day where nothing is set to a number. */
export const AT_HOUR =
  /\b(?:at|by|um|gegen) (?:[1-9]|1\d|2[0-4]|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|eins|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|elf|zwoelf|halb \w+)(?= ?(?:$|,|please|bitte|sharp|an|aus|ein|auf|zu|ab|einschalten|ausschalten|anmachen|ausmachen|schliessen|oeffnen|starten|stoppen|today|heute))|\b(?:half past|quarter (?:to|past)|halb|viertel (?:vor|nach)|dreiviertel) (?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|eins|zwei|drei|vier|fuenf|sechs|sieben|acht|neun|zehn|elf|zwoelf)\b/
/** Without one of these a number after `at` is no time of day. */
export const SWITCHES =
  /\b(?:on|off|open|close|lock|unlock|start|stop|shut|pause|an|aus|ein|auf|zu|ab|\w*(?:schalte|mache|starte|stoppe|oeffne|schliesse)n?)\b/
export const SETS =
  /\b(?:set|run|dim|volume|level|brightness|speed|fan|extractor|amps?|stell\w*|setz\w*|dimm\w*|erhoeh\w*|senk\w*|reduzier\w*|heller|dunkler|lauter|leiser|waermer|kaelter)\b/
/** To be reminded is no wish for now. */
export const REMIND = /\b(?:remind\w*|erinner\w*|wake (?:me|us)|weck\w*|timer|countdown)\b/
export const DURATION =
  /\b(?:for|fuer) (?:(?:the )?(?:next|die naechsten?) )?(?:\d+|an?|one|two|three|five|ten|fifteen|twenty|thirty|einer?|eine|zwei|drei|fuenf|zehn|fuenfzehn|zwanzig|dreissig|half an) ?(?:s|sec|seconds?|min|minutes?|minuten?|hours?|stunden?|sekunden?|h)\b|\b(?:\d+|zehn|fuenf|zwanzig|dreissig) (?:minuten|stunden|sekunden) lang\b/
