import CoreMetrics
import CurlewCore
import NIOCore
import Synchronization

// Provides a connection with bytes to write, and with reasons to pause reading.
extension ClientEngine {
    var hasOutput: Bool { self.state.withLock { $0.output.isFlushScheduled } }

    var hasManyAnswers: Bool { self.state.withLock { $0.output.hasManyAnswers } }

    var isHoldingReading: Bool { self.holdsReading.load(ordering: .relaxed) }

    func takeOutput(replacement: inout ByteBuffer) -> ByteBuffer? {
        let now = self.clock.now()
        let (bytes, published, resumptions) = self.state.withLock { state in
            guard let bytes = state.output.take(&replacement) else {
                return (ByteBuffer?.none, 0, state.takeResumptions())
            }
            state.session.pump(now: now, into: &state.output.bytes)
            state.output.continueFlush()
            return (bytes, state.tally.takePublishes(), state.takeResumptions())
        }
        self.resume(resumptions)
        if published > 0 { self.meters.published.increment(by: published) }
        return bytes
    }

    func takeLastOutput() -> ByteBuffer { self.state.withLock { $0.output.takeLast() } }
}
