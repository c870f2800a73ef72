// A sheet: from below on a phone, in the middle or at the side on larger screens.
import type { ReactNode } from 'react'
import { Dialog, Heading, Modal, ModalOverlay } from 'react-aria-components'
import { Button } from './button.tsx'

interface Props {
  title: ReactNode
  isOpen: boolean
  onClose: () => void
  /** `side`: a drawer, for looking something up beside the page. */
  place?: 'middle' | 'side'
  wide?: boolean
  children: ReactNode
}

export const Sheet = ({ title, isOpen, onClose, place = 'middle', wide = false, children }: Props) => (
  <ModalOverlay
    className={`shade ${place}`}
    isOpen={isOpen}
    isDismissable
    onOpenChange={(open) => {
      if (!open) onClose()
    }}
  >
    <Modal className={`sheet${wide ? ' wide' : ''}`}>
      <Dialog className="dialog">
        <div className="dialog-head">
          <Heading slot="title" level={2}>
            {title}
          </Heading>
          <Button look="quiet" icon="close" label="Close" onPress={onClose} />
        </div>
        {children}
      </Dialog>
    </Modal>
  </ModalOverlay>
)
