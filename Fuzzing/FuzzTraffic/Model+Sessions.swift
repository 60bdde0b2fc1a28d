import CurlewCore

// How sessions begin and end.
extension Model {
    func received(_ connect: Connect, on wire: Wire) {
        // The client's previous connection must end first [MQTT-3.1.4-3].
        if let old = self.sessions[wire.client]?.wire {
            old.mayClose = true
            old.isTakenOver = true
            self.detach(old)
        }
        if connect.cleanStart, let old = self.sessions[wire.client] { self.end(old) }  // [MQTT-3.1.2-4]
        let isPresent = self.sessions[wire.client] != nil
        let session = self.sessions[wire.client] ?? Session(client: wire.client)
        self.sessions[wire.client] = session
        session.wire = wire
        wire.session = session
        session.willDue = nil
        session.end = nil
        session.expiry = Self.expiry(of: connect)
        session.will = connect.will.flatMap { will in
            Message.number(will.payload).map { ($0, .seconds(Int64(will.properties.willDelayInterval ?? 0))) }
        }
        let isKept = isPresent || session.expiry != .zero || session.will != nil
        if isKept { self.forgotten.remove(wire.client) }
        wire.expectAnswer(.connack(ConnAck(sessionPresent: isPresent))) {
            session.isTold = true
            if !isKept { self.forgotten.insert(session.client) }
        }
    }

    private static func expiry(of connect: Connect) -> Duration? {
        guard connect.version == .v5_0 else { return connect.cleanStart ? .zero : nil }
        let seconds = connect.properties.sessionExpiryInterval ?? 0
        return seconds == .max ? nil : .seconds(Int64(seconds))
    }

    func received(_ packet: Disconnect, on wire: Wire, of session: Session) {
        if let seconds = packet.properties.sessionExpiryInterval { session.expiry = .seconds(Int64(seconds)) }
        if packet.reasonCode == .normalDisconnection { session.will = nil }  // [MQTT-3.14.4-3]
        wire.mayClose = true
        self.detach(wire)
    }

    /// The connection is lost.
    func lost(_ wire: Wire) { self.detach(wire) }

    private func detach(_ wire: Wire) {
        guard let session = exchange(&wire.session, with: nil) else { return }
        session.wire = nil
        session.due.removeAll { $0.qos == .atMostOnce }
        for index in session.retained.indices where session.retained[index].qos == .atMostOnce {
            session.retained[index].isOwed = false
        }
        self.waitForClient(of: session, since: self.now)
    }

    /// Starts the will delay and the session expiry of a client that has been offline since the given time.
    func waitForClient(of session: Session, since time: Duration) {
        guard session.expiry != .zero else { return self.end(session) }
        if let delay = session.will?.delay {
            if time + delay <= self.now {
                self.publishWill(of: session)
            } else {
                session.willDue = (time + delay, self.nextOrder())
            }
        }
        if let expiry = session.expiry { session.end = (time + expiry, self.nextOrder()) }
    }

    private func publishWill(of session: Session) {
        session.willDue = nil
        guard let will = exchange(&session.will, with: nil) else { return }
        _ = self.route(will.message, from: session)
    }

    func end(_ session: Session) {
        self.sessions[session.client] = nil
        session.willDue = nil
        session.end = nil
        self.publishWill(of: session)
        // QoS 1 messages in flight may go to other members of the shared subscription; QoS 2 messages must not
        // [MQTT-4.8.2-5].
        for sent in session.inFlight.values where sent.qos == .atLeastOnce {
            guard let group = sent.group, let number = sent.number else { continue }
            self.shared.append(Shared(filter: group, number: number, routing: 0, isCertain: false))
        }
        self.leave(Set(session.subscriptions.keys))
    }

    /// A member has left shared subscriptions.
    func leave(_ filters: Set<Int>) {
        for index in self.shared.indices where filters.contains(self.shared[index].filter) {
            self.shared[index].isCertain = false
        }
    }

    /// Publishes wills and ends sessions whose time has come.
    func passTime() {
        while true {
            var next: (time: Duration, order: Int)?
            var act: () -> Void = {}
            for session in self.sessions.values where session.wire == nil {
                if let due = session.willDue, due.time <= self.now, next.map({ due < $0 }) ?? true {
                    next = due
                    act = { self.publishWill(of: session) }
                }
                if let due = session.end, due.time <= self.now, next.map({ due < $0 }) ?? true {
                    next = due
                    act = { self.end(session) }
                }
            }
            guard next != nil else { return }
            act()
        }
    }
}
