// Brings ways of saying one thing to one form before words are read: times in words, shares, file names, exceptions, slips of the pen.
import { plain } from './words.ts'

/** A file somebody wants made: what is printed or cut, or a text in quotes beside such a wish. */
const FILE = /\b[\w-]+(?:\.[\w-]+)*\.(?:gcode|gco|bgcode|3mf|stl|nc|svg|dxf|ngc|lbrn2?)\b/g
const QUOTED_FILE =
  /(\b(?:print|start|run|druck\w{0,3}|starte?n?|send|load|schick\w?|lade?)\b.{0,30}?)["“”„«»][^"“”„«»]{1,200}["“”„«»]/

const UNITS = 'seconds?|secs?|sekunden?|minutes?|mins?|minuten?|hours?|stunden?'
const ONE = 'an?|one|eine[rnm]?|ner'

const FORMS: readonly (readonly [RegExp, string])[] = [
  // What ends a sentence parts it as a comma does.
  [/\.{2,}|…|[.!](?=\s|$)| [-–—] /g, ' , '],
  [/\b(?:for|fuer) (?:a|one|just a|einen|nen) (?:sec|mo|moment|bit|tick|augenblick)\b/g, ''],
  [/\b(?:three[ -]quarters? of an hour|dreiviertelstunde)\b/g, '45 minutes'],
  [/\b(?:a )?quarter(?: of)? an hour\b|\b(?:eine[rn]? |ner )?viertelstunde\b/g, '15 minutes'],
  [
    new RegExp(
      `\\b(?:one and a half|eineinhalb|anderthalb|(?:${ONE}) (${UNITS}) and a half|(?:${ONE}) und (?:eine )?halbe)(?: (${UNITS}))?\\b`,
      'g',
    ),
    '1.5 $1$2',
  ],
  [/\btwo and a half\b|\bzweieinhalb\b/g, '2.5'],
  [new RegExp(`\\b(?:half (?:${ONE})|(?:(?:${ONE}) )?halbe[rn]?) (${UNITS})\\b`, 'g'), '0.5 $1'],
  [new RegExp(`\\b(?:(?:a )?couple of|ein paar) (${UNITS})\\b`, 'g'), '2 $1'],
  [new RegExp(`\\b(?:${ONE}) (?:full |ganze |volle )?(${UNITS})\\b`, 'g'), '1 $1'],
  [/\b(?:three|drei)[ -](?:quarters?|viertel)\b/g, 'dreiviertel'],
  [/\b(?:two|zwei)[ -](?:thirds?|drittel)\b/g, 'zweidrittel'],
  [
    /\b(?:half[ -]?way|half[ -]open|halb offen|zur haelfte|bis zur haelfte|auf halbe[nrs]?(?= (?:hoehe|weg|kraft|helligkeit|leistung))|auf halber hoehe)\b/g,
    'to half',
  ],
  [
    /\b(?:flat out|full (?:blast|throttle|tilt|whack|pelt)|vollgas|volle pulle|volle kraft|volle poetrie|anschlag)\b/g,
    'full',
  ],
  [/\b(each and every|each|every|all)(?: single| last)+(?: one of)?\b/g, '$1'],
  [/\beach and every\b/g, 'every'],
  [/\b(jede[nrsm]?) (?:einzelne[nrsm]?|verdammte[nrsm]?)\b/g, '$1'],
  [
    /\bas (?:bright(?:ly)?|loud(?:ly)?|high|fast|hard|strong) as (?:possible|(?:it|they|you|that) (?:goes?|gets?|can(?: (?:go|get|be|run))?|will go))\b|\b(?:so|moeglichst) (?:hell|laut|hoch|schnell|stark)(?: wie (?:(?:nur |irgend )?moeglich|es (?:nur |irgend )?geht))\b|\bmoeglichst hell\b|\bam hellsten\b/g,
    'to full',
  ],
  [
    /\bas (?:dim(?:ly)?|dark|low|quiet(?:ly)?|slow(?:ly)?) as (?:possible|(?:it|they|you|that) (?:goes?|gets?|can(?: (?:go|get|be|run))?|will go))\b|\bso (?:dunkel|leise|niedrig|langsam|schwach) wie (?:(?:nur |irgend )?moeglich|es (?:nur |irgend )?geht)\b/g,
    'to minimum',
  ],
  [/\ball the way up\b|\bganz hoch\b|\bganz auf(?=drehen)/g, 'up to full'],
  [/\b((?:dimm|dreh|stell|regel)\w* .{2,40}?) ganz (?:runter|herunter|niedrig|leise|dunkel)\b/g, '$1 auf minimum'],
  [/\ball the way down\b|\bganz runter(?=drehen)/g, 'down to minimum'],
  [/\ball the way\b/g, ''],
  [
    /\b(?:apart|aside) from\b|\bother than\b|\bwith the exception of\b|\bsave for\b|\bjust not\b|\bbut not\b|\bbar(?= (?:the|my|that))/g,
    'except',
  ],
  [/(?<=\w\s*,?\s*)\b(?:but|and)? ?(?:please )?(?:leave|keep) (.{3,40}?) on(?=\s*(?:,|$))/g, 'except $1'],
  [/\b(?:nur|bloss|aber) ((?:das|die|der|den|dem|im|in)\b.{2,40}?) nicht(?=\s*(?:,|$))/g, 'ausser $1'],
  [
    /(?<=\w\s*,?\s*)\b(?:aber|und|nur)? ?(?:bitte )?lass(?:e|t)? (?:aber |bitte )?(.{3,40}?) (?:an|brennen|leuchten)(?=\s*(?:,|$))/g,
    'ausser $1',
  ],
  [/\b(nimm|nehmt?) (.{3,40}?) (\w+) (seconds?|sekunden?|minutes?|minuten?) (?:lang )?auf\b/g, '$1 $2 auf fuer $3 $4'],
  [/\b(?:i mean it|im serious|ich mein\w* (?:es |das )?ernst)\b/g, ''],
  [/\b(?:nach|zu) hause\b/g, 'heim'],
  [/\bthe heat\b(?! (?:is|was))/g, 'the heating'],
  [
    /\b(?:(?:mach|schalt|stell)\w{0,2} )?((?:das |die |den )?\w{3,20}) (?:auf )?stumm(?:schalten)?\b/g,
    'stell $1 auf 0',
  ],
  [/\bmit ausnahme (?:von|vom|der|des)\b|\babgesehen (?:von|vom)\b|\b(?:nur|aber) nicht\b/g, 'ausser'],
  [
    /\b(hundred|thousand) and (?=(?:\d|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thir|fif|twen|for|six|seven|eigh|nine))/g,
    '$1 ',
  ],
  [/\bbis (?:auf |zu )?(?=\d|\w+ ?(?:prozent|grad|%))/g, 'auf '],
  [/\bmute (.{2,30}?)(?=\s*(?:,|$))/g, 'set $1 to 0'],
  [/\b(turn|switch|shut|power)(ed|ing)? of\b/g, '$1$2 off'],
  [/\bof\s*$/g, 'off'],
  [/\bright (?=(?:down|up|back)\b)|\bright (?:now|away|there|here|then|off|after)\b|\ball right\b/g, ''],
  [/^\s*right\s*[,:]/g, ''],
  [
    /\b(?:on|onto|up on|auf)(?: to)? (?:the |den |dem |my |mein\w* )?(?:big |main |grossen )?(?:screen|monitor|display|wall|tv|telly|bildschirm|schirm|fernseher|leinwand|wand)\b(?! (?:light|lamp|licht|an|aus))/g,
    'onscreen',
  ],
  [/\b(?:would|do) you mind ((?:\w+ )??)(\w{3,})ing\b/g, 'please $1$2'],
  [/\b(?:how|what) about (\w{3,})ing\b/g, 'please $1'],
  [/\b(?:how|what) about\b|\bwie (?:waers|waere es|war es) mit\b/g, 'please'],
  [/\b(?:is there )?any chance (?:(?:that )?(?:you|we|somebody|someone) (?:could|can)|of you)\b/g, 'please'],
  [
    /\bdo (?:the same|likewise) (?:with|for|to|in)\b|\b(?:the )?same (?:thing )?(?:again )?(?:for|with|in|goes for)\b|\bditto\b|\bdas ?(?:gleiche|selbe)(?: bitte| auch| nochmal)*(?: fuer| mit| bei| im| in)?\b|\bgenauso(?: bei| mit| im)?\b/g,
    'same',
  ],
]

/** `the compressor's too loud`, not `the Prusa's bed`. */
const THING_IS =
  /\b((?:the|my|our|that) (?:\w+ )?\w+)['’]s (?=(?:too|so|not|still|already|just|really|very|getting|on|off|here|open|closed|done|ready|broken|empty|full|loud|hot|cold|\w+ing)\b)/gi

/** `…, delivery's here`. */
const STANDS_IS = /(?<=[,.!;]\s*)(\w{4,})['’]s (?=\w)/gi

const ALL = /\b(?:all|every\w*|any|alle[ns]?|alles|both|beide|lights|lamps|lichter|lampen)\b/

/** What was said, in the form the rules read: lower case, umlauts written out, one wording for each of these things. */
export const worded = (text: string): string => {
  const files = plain(text.replace(THING_IS, '$1 is ').replace(STANDS_IS, '$1 is '))
    .replace(FILE, ' file ')
    .replace(QUOTED_FILE, '$1 file ')
  const line = FORMS.reduce((said, [pattern, form]) => said.replace(pattern, form), files)
  // "All but the hall" leaves something out; "this off but that on" says two things.
  return ALL.test(line) ? line : line.replace(/\b(?:but|aber)\b/g, ' , ')
}
