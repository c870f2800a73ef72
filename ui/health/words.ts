// Parts of the hub by the names people know them by.
import { words } from '../devices/value.ts'

/** `plugin:home-assistant` → `Plugin home assistant`; `journal` → `Journal`. */
export const partWords = (part: string): string => words(part.replaceAll(':', ' '))
