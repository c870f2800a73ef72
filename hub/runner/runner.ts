// The runner keeps flows running: in a process of their own, on the logical clock, each with its own bounded edges.
/** `ended`: it completed and says nothing more. */
export type FlowStatus = 'starting' | 'running' | 'restarting' | 'quarantined' | 'failed to load' | 'ended'

export interface FlowView {
  id: string
  status: FlowStatus
  /** First comment line of its file: what it does in one sentence. */
  about: string
  /** Topics it reads and, as far as seen, writes. */
  inputs: string[]
  outputs: string[]
  in: number
  out: number
  dropped: number
  restarts: number
  /** Of the file's content. */
  version: string
  startedAt?: string
  error?: { message: string; stack?: string; at: string }
}

export interface Runner {
  flows(): FlowView[]
  /** Lets a flow that is quarantined, has ended or did not load run again, from its file as it is now. Rejects with Missing or, when it runs, with CONFLICT. */
  release(id: string): Promise<void>
  /** The process of flows. */
  process(): { pid?: number; restarts: number; sent: number; waiting: number; rss: number }
  close(): Promise<void>
}
