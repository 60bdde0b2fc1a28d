import CurlewCore
import CurlewTransport
import NIOCore
import Synchronization

// The wills of clients whose connections have ended.
extension BrokerEngine {
    /// What becomes of a will, as authorizers and publish filters have decided.
    struct DecidedWill {
        /// The number of the CONNECT that brought the will.
        let connectNumber: UInt64
        /// Whether there is a will at all.
        let exists: Bool
        /// The message; `nil` if it is not to be published.
        let publication: Publication?
        let publisher: BrokerEngine.Publisher

        /// Whether it is still the will of the session.
        func isCurrent(_ state: borrowing HostedSession.State) -> Bool {
            state.connectNumber == self.connectNumber && (state.will != nil) == self.exists
        }
    }

    /// Asks user code about the will of a session, under no lock.
    ///
    /// - Parameter former: What was decided in an earlier attempt: nobody is asked twice.
    /// - Returns: `nil` if the session is over or `presence` does not hold.
    func decideWill(
        of session: HostedSession, if presence: HostedSession.Presence, _ former: DecidedWill?
    ) -> DecidedWill? {
        let found = session.state.withLock {
            state -> (isCurrent: Bool, number: UInt64, PendingWill?, MQTTBrokerClient, ClientRules)? in
            guard !state.isOver, presence.holds(for: state) else { return nil }
            return (
                former?.isCurrent(state) == true, state.connectNumber, state.will, state.client, state.rules
            )
        }
        guard let (isCurrent, number, will, client, rules) = found else { return nil }
        if isCurrent { return former }
        var publication: Publication?
        // The rules may have changed since the client connected.
        if let will, rules.allows(client, .publish(will.message.topic)),
            case .success(let message) = self.applyFilters(to: will.message, from: client)
        {
            publication = Publication(Publish(message), topic: message.topic, now: self.clock.now())
            publication?.number = self.recorder.messageNumber
        }
        return DecidedWill(
            connectNumber: number, exists: will != nil, publication: publication,
            publisher: Publisher(client: client, session: session))
    }

    /// Publishes a will in a group with what `claim` changes, or makes only these changes if there is nothing to
    /// publish.
    ///
    /// - Parameter then: What else belongs to the group.
    func routeWill(
        _ will: DecidedWill, _ attempt: Attempt, on worker: Worker, _ routing: inout Routing,
        claim: (inout Effects) -> Outcome, then end: (inout Routing) -> Void = { _ in }
    ) -> Outcome {
        let message = will.publication.map { self.prepare($0, from: will.publisher, attempt, on: worker) }
        return self.recorder.group(if: message?.isGrouped ?? true) {
            let outcome =
                if var message {
                    self.carryOut(&message, on: worker, now: self.clock.now(), &routing, claim: claim)
                } else {
                    claim(&routing.effects)
                }
            guard outcome == .done else { return outcome }
            if routing.isRefused { worker.counters.publishesRefused.count() }
            end(&routing)
            return .done
        }
    }

    /// Publishes the will of a client, if it has one that was not published yet [MQTT-3.1.2-8] [MQTT-3.1.2-10].
    ///
    /// - Parameter presence: Does nothing unless that holds.
    func publishWill(of session: HostedSession, if presence: HostedSession.Presence = .any, on worker: Worker) {
        var decided: DecidedWill?
        var routing = Routing()
        self.untilDone { attempt in
            decided = self.decideWill(of: session, if: presence, decided)
            guard let will = decided, will.exists else { return .uncalledFor }
            return self.routeWill(will, attempt, on: worker, &routing) { _ in
                session.state.withLock { state in
                    guard presence.holds(for: state), !state.isOver else { return .uncalledFor }
                    guard will.isCurrent(state) else { return .outdated }
                    state.will = nil
                    session.recordSession(&state)
                    state.countNames()
                    session.account(&state, isExact: true)
                    return .done
                }
            }
        }
        if let topic = decided?.publication?.topic { self.finishPublishing(topic, routing, on: worker) }
    }
}
