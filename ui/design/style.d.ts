// Custom properties in React's style objects: they are set one by one through the DOM, which the content policy allows.
import 'react'

declare module 'react' {
  interface CSSProperties {
    '--n'?: number
    '--share'?: number
  }
}
