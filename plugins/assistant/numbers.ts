// Numbers as people say them, in English and German: `twenty-five`, `fünfundzwanzig`, `2,5`.

const SMALL: Readonly<Record<string, number>> = {
  zero: 0,
  null: 0,
  one: 1,
  eins: 1,
  two: 2,
  zwei: 2,
  zwo: 2,
  three: 3,
  drei: 3,
  four: 4,
  vier: 4,
  five: 5,
  fuenf: 5,
  six: 6,
  sechs: 6,
  seven: 7,
  sieben: 7,
  eight: 8,
  acht: 8,
  nine: 9,
  neun: 9,
  ten: 10,
  zehn: 10,
  eleven: 11,
  elf: 11,
  twelve: 12,
  zwoelf: 12,
  thirteen: 13,
  dreizehn: 13,
  fourteen: 14,
  vierzehn: 14,
  fifteen: 15,
  fuenfzehn: 15,
  sixteen: 16,
  sechzehn: 16,
  seventeen: 17,
  siebzehn: 17,
  eighteen: 18,
  achtzehn: 18,
  nineteen: 19,
  neunzehn: 19,
}
const TENS: Readonly<Record<string, number>> = {
  twenty: 20,
  zwanzig: 20,
  thirty: 30,
  dreissig: 30,
  forty: 40,
  vierzig: 40,
  fifty: 50,
  fuenfzig: 50,
  sixty: 60,
  sechzig: 60,
  seventy: 70,
  siebzig: 70,
  eighty: 80,
  achtzig: 80,
  ninety: 90,
  neunzig: 90,
}

const belowHundred = (word: string): number | undefined => {
  const whole = SMALL[word] ?? TENS[word]
  if (whole !== undefined) return whole
  const [, one = '', ten = ''] = /^(.+)und(.+)$/.exec(word) ?? []
  const ones = one === 'ein' ? 1 : SMALL[one]
  const tens = TENS[ten]
  return ones === undefined || tens === undefined || ones > 9 ? undefined : tens + ones
}

/** The number a single word stands for: digits with point or comma, English or German words. */
export const numberOf = (word: string): number | undefined => {
  if (/^\d+([.,]\d+)?$/.test(word)) return Number(word.replace(',', '.'))
  const plain = belowHundred(word)
  if (plain !== undefined) return plain
  const [, many = '', rest = ''] = /^(.*)(?:hundert|hundred)(.*)$/.exec(word) ?? []
  if (many === '' && rest === '' && word !== 'hundert' && word !== 'hundred') return undefined
  const hundreds = many === '' || many === 'ein' ? 1 : SMALL[many]
  const more = rest === '' ? 0 : belowHundred(rest.replace(/^und/, ''))
  return hundreds === undefined || more === undefined ? undefined : hundreds * 100 + more
}

/** `twenty` `five` → 25, `two` `hundred` → 200: numbers of several words, joined in place. */
export const joined = <T extends { word: string; number?: number }>(words: readonly T[]): T[] => {
  const out: T[] = []
  for (const word of words) {
    const last = out.at(-1)
    const a = last?.number
    const b = word.number
    const isWords = last !== undefined && !/\d/.test(last.word) && !/\d/.test(word.word)
    if (last === undefined || a === undefined || b === undefined || !isWords) out.push(word)
    else if (b === 100 && a < 10) out[out.length - 1] = { ...last, number: a * 100 }
    else if ((a % 100 === 0 && a > 0 && b < 100) || (a % 10 === 0 && a >= 20 && a < 100 && b < 10))
      out[out.length - 1] = { ...last, number: a + b }
    else out.push(word)
  }
  return out
}
