// What a device can be asked: the actions of its components, one intent for all of a kind, `entity` naming which is meant.
import type { Fields } from './announcement.ts'
import type { Action } from './component.ts'

export interface Offer {
  /** The component's key within the device. */
  entity: string
  action: Action
}

/** Offers by intent. */
export const offersOf = (
  entities: Iterable<{ key: string; component: { actions: readonly Action[] } }>,
): Map<string, Offer[]> => {
  const offers = new Map<string, Offer[]>()
  for (const { key, component } of entities)
    for (const action of component.actions)
      offers.set(action.intent, [...(offers.get(action.intent) ?? []), { entity: key, action }])
  return offers
}

const MAX_FORMS = 16

const fieldSchema = (schemas: readonly Fields[]): Fields => {
  const forms = [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()]
  const [only] = forms
  if (forms.length <= 1) return only ?? {}
  // Too many forms to list: the component's own check decides.
  return forms.length > MAX_FORMS ? {} : { anyOf: forms }
}

/** The JSON Schema of an intent's payload. */
export const schemaOf = (offers: readonly Offer[]): Fields => {
  const names = new Set(offers.flatMap(({ action }) => Object.keys(action.fields)))
  const properties = Object.fromEntries(
    [...names].map((name) => [
      name,
      fieldSchema(offers.flatMap(({ action: { fields } }) => (fields[name] === undefined ? [] : [fields[name]]))),
    ]),
  )
  const common = (offers[0]?.action.required ?? []).filter((name) =>
    offers.every(({ action }) => action.required?.includes(name) === true),
  )
  const mustChoose = offers.length > 1 && !offers.every(({ action }) => action.isSafe === true)
  const required = [...(mustChoose ? ['entity'] : []), ...common]
  return {
    type: 'object',
    properties: {
      ...properties,
      entity: { enum: offers.map(({ entity }) => entity), description: 'Which of the device’s components.' },
    },
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  }
}

const isNumber = (value: unknown): value is number => typeof value === 'number' && Number.isFinite(value)

/** Whether a value fits one component's own field; of JSON Schema only what components use. */
const fits = (schema: Fields, value: unknown): boolean => {
  const { type, minimum, maximum, minLength, maxLength, enum: options } = schema
  if (Array.isArray(options)) return options.includes(value)
  switch (type) {
    case 'number':
      return isNumber(value) && (!isNumber(minimum) || value >= minimum) && (!isNumber(maximum) || value <= maximum)
    case 'string':
      return (
        typeof value === 'string' &&
        (!isNumber(minLength) || value.length >= minLength) &&
        (!isNumber(maxLength) || value.length <= maxLength)
      )
    case 'boolean':
      return typeof value === 'boolean'
    case 'array':
      return Array.isArray(value) && value.length <= 3 && value.every(isNumber)
    default:
      return true
  }
}

/**
 * The offers a payload means: the named one, the only one, or all when the intent is a safe one. Otherwise why not: the
 * gate checks against all components' forms at once, so the chosen one's own is checked here.
 */
export const chosen = (offers: readonly Offer[], payload: Fields): { offers: Offer[]; rest: Fields } | string => {
  const { entity, ...rest } = payload
  const meant =
    entity !== undefined
      ? offers.filter((offer) => offer.entity === entity)
      : offers.length === 1 || offers.every(({ action }) => action.isSafe === true)
        ? [...offers]
        : []
  if (meant.length === 0)
    return `entity: must be one of ${offers.map((offer) => offer.entity).join(', ')}`.slice(0, 400)
  for (const { entity: key, action } of meant) {
    const missing = action.required?.find((name) => rest[name] === undefined)
    if (missing !== undefined) return `${missing}: is required for '${key}'`
    for (const [name, value] of Object.entries(rest)) {
      const schema = Object.hasOwn(action.fields, name) ? action.fields[name] : undefined
      if (schema === undefined) return `${name}: '${key}' does not take it`
      if (!fits(schema, value)) return `${name}: does not fit '${key}'`
    }
  }
  return { offers: meant, rest }
}
