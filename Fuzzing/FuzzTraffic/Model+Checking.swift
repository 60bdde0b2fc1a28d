import CurlewCore
import Synchronization

@testable import CurlewBroker
@testable import FuzzSupport

// Conditions that must hold whenever the broker is idle.
extension Model {
    /// - Parameter isStoreIdle: Whether nothing waits for the store.
    func check(_ engine: BrokerEngine, isStoreIdle: Bool) {
        expect(engine.sessions.count == self.sessions.count, "the broker has \(engine.sessions.count) sessions")
        let subscriptions = self.sessions.values.reduce(0) { $0 + $1.subscriptions.count }
        expect(engine.subscriptionCount == subscriptions, "the broker has \(engine.subscriptionCount) subscriptions")
        let connected = self.sessions.values.count { $0.wire != nil }
        expect(engine.connectedClients.value == connected, "the broker counts \(engine.connectedClients.value) clients")
        let retained = engine.retained.withLock { $0.count }
        expect(retained == self.retained.count, "the broker has \(retained) retained messages")
        self.checkBytes(engine)
        guard isStoreIdle else { return }
        for session in self.sessions.values { session.checkIsServed(self.retained) }
        for shared in self.shared where shared.isCertain {
            let members = self.sessions.values.filter { $0.subscriptions[shared.filter] != nil }
            expect(!members.allSatisfy(\.hasWindow), "message \(shared.number) waits though all who share it have room")
        }
    }

    /// Messages are counted once with the right number of bytes, and the clients have seen everything in flight.
    private func checkBytes(_ engine: BrokerEngine) {
        var bytes = 0
        let (retainedBytes, mark) = engine.retained.withLock { ($0.byteCount, $0.now) }
        for hosted in engine.sessions.all {
            let (sessionBytes, inFlight) = hosted.state.withLock {
                ($0.session.queuedBytes + $0.session.bytesInFlight, $0.session.messagesInFlight)
            }
            bytes += sessionBytes
            // Retained messages on their way keep those alive that have been replaced since.
            bytes += hosted.retainedBegan.withLock { $0?.bytesRemoved(until: mark) } ?? 0
            // With a store, messages in flight for the broker may not have been sent yet.
            guard !self.hasStore else { continue }
            let session = Names.client(hosted.clientIdentifier).flatMap { self.sessions[$0] }
            expect(inFlight == session?.inFlight.count, "the broker has \(inFlight) messages in flight")
        }
        let counted = engine.budget.messageBytes - retainedBytes
        expect(counted <= bytes, "the broker counts \(counted) bytes where \(bytes) wait")
    }

    /// Nothing is left to be done for any client.
    func checkIsDone(_ engine: BrokerEngine) {
        for session in self.sessions.values {
            expect(session.inFlight.isEmpty, "\(session.inFlight.keys) were never acknowledged")
            expect(session.due.isEmpty, "\(session.due) were never sent")
        }
        for shared in self.shared {
            expect(!shared.isCertain, "message \(shared.number) was never sent to any of those who share it")
        }
        self.expectNoMessages(engine)
    }

    private func expectNoMessages(_ engine: BrokerEngine) {
        let (counted, retained) = (engine.budget.messageBytes, engine.retained.withLock { $0.byteCount })
        expect(counted == retained, "the broker counts \(counted) bytes where \(retained) are retained")
    }

    /// All sessions have ended, and nothing is left of them.
    func checkIsOver(_ engine: BrokerEngine, _ store: FuzzStore?) {
        expect(self.sessions.isEmpty, "the model has sessions left")
        self.expectNoMessages(engine)
        guard let kept = store?.memory.snapshot else { return }
        expect(kept.sessions.isEmpty, "the store has sessions left")
        expect(kept.retained.count == self.retained.count, "the store has \(kept.retained.count) retained messages")
    }
}

extension Session {
    /// Whether a message for the client would be sent at once.
    fileprivate var hasWindow: Bool {
        guard let wire, wire.link.isWritable else { return false }
        return self.windowUsed(on: wire) < wire.window
    }

    /// A client that reads everything has received everything it can.
    fileprivate func checkIsServed(_ retained: [Int: Model.Retained]) {
        guard let wire, wire.link.isWritable else { return }
        expect(wire.answers.isEmpty, "\(wire.answers.first?.packet.summary ?? "") was never sent")
        expect(wire.releases.values.allSatisfy { $0 == 0 }, "a PUBREC was not answered")
        guard self.hasWindow else { return }
        expect(
            self.inFlight.values.allSatisfy { $0.lastOn == wire.number },
            "what was not acknowledged was not sent again [MQTT-4.4.0-1]")
        expect(self.due.isEmpty, "message \(self.due.first?.number ?? 0) waits though there is room")
        for owed in self.retained where owed.isOwed {
            expect(
                !retained.values.contains { $0.version == owed.version },
                "the retained message \(owed.number) waits though there is room")
        }
    }
}
