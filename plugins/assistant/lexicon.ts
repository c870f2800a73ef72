// Nouns of houses and workshops, English and German, each line one thing: `thing: words that mean it`. A plural that no ending explains is marked with *.

const TABLE = `
light: light lamp lighting luminaire bulb licht lampe leuchte beleuchtung birne funzel lampen* leuchten* lichter* spotlight spot spots* strahler
ceiling: ceiling decke decken
floor: floor boden
floor+light: stehlampe
strip: strip led leiste streifen ledstreifen
desk: desk schreibtisch
bench: bench workbench werkbank arbeitsplatte werktisch
table: table tisch
wall: wall wand
bedside: bedside nightstand nachttisch
reading: reading lese lesen
fairy: fairy lichterkette
christmas: christmas weihnacht xmas
outside: outside outdoor outdoors aussen draussen
door: door tuer tueren* eingangstuer
front: front haus haupt main
back: back rear hinten hinter hinterer rueck
gate: gate tor tore* rolltor
garage: garage
window: window fenster
blind: blind shutter rollladen rolladen jalousie rollo rollaeden* rolllaeden* rolladen* roller cover raffstore
curtain: curtain vorhang gardine drape vorhaenge*
awning: awning markise
lock: lock schloss schloesser* tuerschloss
switch: switch schalter
plug: plug socket outlet steckdose stecker steckdosenleiste
fan: fan ventilator luefter
ventilation: ventilation lueftung belueftung airing vent
extract: extractor extraction absaugung absauger sauger absauganlage collector spaeneabsaugung staubabsaugung
vacuum: vacuum hoover staubsauger saugroboter
dust: dust staub
smoke: smoke rauch fume fumes* hood abzug
heat: heating heater heizung radiator heizkoerper thermostat heizluefter
boiler: boiler kessel warmwasser geyser
ac: ac aircon airconditioner airconditioning klimaanlage klima conditioner
climate: climate raumklima
temperature: temperature temp temperatur celsius
humidity: humidity luftfeuchtigkeit luftfeuchte feuchtigkeit feuchte
pressure: pressure druckluftdruck
air: air luft
quality: quality qualitaet
co2: co2 kohlendioxid
sensor: sensor fuehler melder detector
motion: motion bewegung
presence: presence anwesenheit occupancy praesenz
power: power strom leistung energie energy
water: water wasser
valve: valve ventil
pump: pump pumpe
washer: washer washingmachine waschmaschine washing
dryer: dryer trockner waeschetrockner tumble
dishwasher: dishwasher spuelmaschine geschirrspueler
fridge: fridge refrigerator kuehlschrank
freezer: freezer gefriertruhe gefrierschrank
oven: oven ofen backofen
stove: stove herd hob cooker
kettle: kettle wasserkocher
coffee: coffee kaffee espresso coffeemaker kaffeeautomat
machine: machine maschine apparat
device: device geraet
tv: tv television fernseher telly
music: music musik stereo anlage
speaker: speaker lautsprecher box boxen*
radio: radio
media: media player
print: print druck printing drucke* ausdruck
print+printer: printer drucker
3d: 3d
laser: laser lasercutter laserschneider
cutter: cutter schneider
cnc: cnc
mill: mill milling fraese fraesmaschine fraesen* router
lathe: lathe drehbank drehmaschine
saw: saw saege saegen* kreissaege
table+saw: tischkreissaege
band: band
band+saw: bandsaw bandsaege
mitre+saw: kappsaege mitresaw
drill: drill bohrmaschine bohrer staenderbohrmaschine drillpress
grind: grinding schleif schleifen
grind+grinder: grinder schleifer schleifmaschine schleifbock
sand: sander sanding
weld: welding weld schweiss schweissen
weld+welder: welder schweissgeraet schweisser schweissmaschine
mig: mig mag
plasma: plasma
press: press presse pressen*
hydraulic: hydraulic hydraulik hydraulische hydraulischen
compress: compressor kompressor luftkompressor druckluft compressed druckluftanlage
solder: soldering solder loet loeten
iron: iron kolben
solder+iron: loetkolben loetstation
kiln: kiln brennofen
furnace: furnace schmelzofen
robot: robot roboter
arm: arm
crane: crane kran
lift: lift elevator aufzug hebebuehne
forklift: forklift gabelstapler stapler
charger: charger charging ladegeraet ladestation wallbox lade
battery: battery batterie akku
camera: camera cam kamera webcam
scene: scene szene mood stimmung
alarm: alarm alarmanlage
siren: siren sirene
bell: bell doorbell klingel
garden: garden garten
sprinkler: sprinkler irrigation bewaesserung beregnung sprinkleranlage
mower: mower lawnmower rasenmaeher maehroboter
pool: pool
server: server
rack: rack schrank
tool: tool werkzeug
left: left linke linker linkes linken links
right: right rechte rechter rechtes rechten rechts
upper: upper top obere oberer oberen oben upstairs
lower: lower bottom untere unterer unteren unten downstairs
big: big large grosse grosser grosses grossen
small: small little kleine kleiner kleines kleinen
kitchen: kitchen kueche
living+place: livingroom wohnzimmer stube
living: living wohn
lounge: lounge
bed+place: bedroom schlafzimmer
bed: bed schlaf bett
bath+place: bathroom bad badezimmer
bath: bath
toilet: toilet wc klo restroom toilette loo
dining+place: diningroom esszimmer
dining: dining ess
kid+place: nursery kinderzimmer
kid: kid kids child children kinder
guest: guest gaeste gast
hall: hallway hall corridor flur gang diele korridor
entrance: entrance entry eingang lobby foyer empfang reception
stairs: stairs staircase stairwell treppe treppenhaus
basement: basement cellar keller
attic: attic loft dachboden speicher
balcony: balcony balkon
terrace: terrace patio terrasse
yard: yard courtyard hof
drive: driveway einfahrt
roof: roof dach
office: office buero study arbeitszimmer homeoffice
meeting: meeting conference besprechung konferenz
workshop: workshop werkstatt shop
wood: wood woodwork woodworking woodshop holz tischlerei schreinerei
metal: metal metalwork metalworking metall
paint: paint painting spray lackier lackiererei lackieren maler
electronics: electronics electronic elektronik electro elektro
assembly: assembly montage
tech: technical technik utility
store: storage store storeroom lager warehouse lagerhalle
loading: loading dock verladung laderampe lader rampe ramp
laundry: laundry waschkueche
canteen: canteen kantine break pausen pause
shed: shed schuppen
greenhouse: greenhouse gewaechshaus
weld+place: schweisserei
place: room bay area zone corner booth space station section bereich raum zimmer ecke platz bucht halle kabine plaetze* raeume* stelle
lab: lab laboratory labor
aquarium: aquarium fishtank
movie: movie film cinema kino
night: night nacht
morning: morgens
party: party
dinner: dinner abendessen
work: work arbeit arbeits
cleaning: cleaning putzen reinigung putz
evening: evening abend
mode: mode modus
job: job auftrag schnitt gravur
closing: closing feierabend ladenschluss schluss
nozzle: nozzle duese hotend extruder
bed: heizbett druckbett bauplatte
volume: volume lautstaerke
relax: relax relaxing entspannung entspannen chill
brightness: helligkeit brightness
color: color colour farbe
`

export interface Concept {
  atom: string
  plural: boolean
}

/** Word → thing. Words ending in `+` in the table are compounds that are a thing of their own. */
export const lexicon: ReadonlyMap<string, Concept> = new Map(
  TABLE.trim()
    .split('\n')
    .flatMap((row): [string, Concept][] => {
      const colon = row.indexOf(':')
      const atom = row.slice(0, colon)
      return row
        .slice(colon + 1)
        .trim()
        .split(/\s+/)
        .filter((word) => !word.endsWith('_'))
        .map((word) => [word.replace(/[*+]$/, ''), { atom: atom, plural: word.endsWith('*') }])
    }),
)

/** Too general to tell one place from another. */
export const PLACE = 'place'
