// Words that say nothing about what is meant: politeness, articles, prepositions, small talk, in both languages.

const ENGLISH =
  'a an the this that these those it its them they please could can would will you i me my we us our your to of in on at by for from with into onto over under near next beside behind above below and or then also too as well is are be been do does did just now away immediately quickly quick asap again once more bit little slightly somewhat lot much very so really kindly hey hi hello ok okay jarvis computer assistant thanks thank cheers mate dear want wanna need like have has had let lets go get give make sure ahead there here everywhere inside out up down off need should must shall may might if possible all every each any both everything entire whole complete completely some one ones other others another while time moment minute second back think time its im ill id been bring put set way full level setting settings value mode percent per cent degree degrees units whatever actually maybe perhaps some good morning_ uh uhm um umm hm hmm er erm oh ah well like guys folks damn hang same fresh file thing whatever power strength capacity apart speed gonna gotta wont lets help favour favor alright great mind would love time only exactly about around roughly approximately approx up-to currently currently still already yet today tonight job thing things stuff place please_ off than instead via using use using s t d ll m re ve brightness dimmed level intensity speed thats whats mind kind us sec there no bright dark run running juice possible touch tad notch'
const GERMAN =
  'irgendwo irgendwas irgendein irgendeine irgendwelche somewhere anywhere tust tut gefallen teh hte adn plz pls dsa dei gehts laeufts geht aeh aehm oeh oehm hm hmm tja ach oh mist verdammt mann leute ner nen nem ne bloss datei file same leistung kraft lang lange mitten der die das den dem des ein eine einen einem einer eines dieser diese dieses diesen diesem jener er sie es ihn ihm ihr ihnen sich mich mir dir dich du ich wir uns euch bitte bitteschoen danke mal eben kurz schnell sofort gleich jetzt nun wieder nochmal noch einmal doch schon gerade bloss nur etwas bisschen wenig viel sehr so ganz wirklich gerne gern lieber kann kannst koennt koennte koenntest koennten koennen wuerde wuerdest wuerden will moechte moechten moecht haette haetten gern soll sollen sollte sollst muss musst darf brauche brauchen bin ist sind sei sein wird werden werde hat haben habe an am auf in im ins ans aufs bei beim von vom zu zum zur mit nach ueber unter neben hinter vor fuer aus ab um und oder dann auch hier da dort ueberall drinnen hoch runter rauf herunter hallo hey servus moin ok okay jarvis computer assistent alle alles allen aller alles jede jeder jedes jeden saemtliche beide beiden ganze ganzen komplett komplette kompletten gesamte gesamten einen prozent grad stufe wert modus mach mache machen machst schalt schalte schalten stell stelle stellen tu tun lass lasse lassen dass damit wenn moeglich mal bitte_ los geht gehen geh komm na ja also halt eigentlich vielleicht wohl man was wie wo guten morgen_ abend_ lieb nett waere waer mir wuerdet macht schaltet gib gebt sorg sorge dafuer ungefaehr etwa circa ca genau derzeit aktuell momentan heute jetzt_ sache ding dinger sachen helligkeit geschwindigkeit intensitaet per gut freundlich kein keine keinen mehr weg frei strom_ saft hell dunkel dauerhaft direkt einfach ihr meine meinen mein meiner unser unsere unseren dein deine deinen drauf dran mach_ gedimmt sachte bitte daran darauf'

export const fillers: ReadonlySet<string> = new Set(
  `${ENGLISH} ${GERMAN}`.split(/\s+/).map((word) => word.replace(/_$/, '')),
)

/** Point to what was spoken of before. */
export const pronouns: ReadonlySet<string> = new Set(
  'it them they that those these this one ones er sie es ihn ihm ihr ihnen die das den diese dieses diesen dieser beide both'.split(
    ' ',
  ),
)
/** Point to the place that was spoken of before. */
export const placewords: ReadonlySet<string> = new Set('there here dort hier da'.split(' '))
/** Take in more than one. */
export const everyword: ReadonlySet<string> = new Set(
  'everywhere ueberall all every each both everything alle allen aller alles jede jeder jedes jeden saemtliche saemtlichen beide beiden ganze ganzen gesamte gesamten gesamtes entire whole'.split(
    ' ',
  ),
)
export const everything: ReadonlySet<string> = new Set('everything alles'.split(' '))

const GERMAN_MARKS = new Set(
  'der das den dem ein eine einen bitte mal ist sind und im am auf mach mache schalte schalt stell stelle licht kannst du wie warm an aus zu ich mir alle alles die er es'.split(
    ' ',
  ),
)
const ENGLISH_MARKS = new Set(
  'the a an is are please turn switch on off of and lights light in to can you could what how me my it them all open close set'.split(
    ' ',
  ),
)

/** The language of a sentence by its small words; `fallback` when they say nothing. */
export const languageOf = (words: readonly { word: string }[], fallback: 'en' | 'de'): 'en' | 'de' => {
  let german = 0
  let english = 0
  for (const { word } of words) {
    if (GERMAN_MARKS.has(word)) german++
    if (ENGLISH_MARKS.has(word)) english++
  }
  return german === english ? fallback : german > english ? 'de' : 'en'
}
