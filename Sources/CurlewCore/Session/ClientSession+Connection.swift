package import NIOCore

// Connecting, losing the connection, ending.
extension ClientSession {
    /// What a CONNACK that accepts leads to.
    package enum Connected: Equatable {
        /// The session goes on: what was unacknowledged has been sent again.
        case resumed
        /// The server had no session, or does not say: what it may not know has been submitted anew.
        case fresh
        /// The server says that it has a session although we asked it to forget [MQTT-3.2.2-2].
        case protocolError
    }

    /// The server accepted the connection. What can be sent has been appended to `out`.
    package mutating func connected(
        _ connack: ConnAck, to connect: Connect, now: Timestamp, into out: inout ByteBuffer
    ) -> Connected {
        guard !(connack.sessionPresent && connect.cleanStart) else { return .protocolError }  // [MQTT-3.2.2-4]
        self.connectionLost()
        let limits = ServerLimits(connack, version: connect.version)
        let window = Int(max(1, min(limits.receiveMaximum, self.settings.maximumInFlight)))  // [MQTT-4.9.0-1]
        self.connection = Connection(
            version: connect.version, limits: limits,
            outgoingAliases: OutgoingTopicAliases(
                maximum: min(limits.topicAliasMaximum, self.settings.outgoingTopicAliasMaximum)),
            incomingAliases: IncomingTopicAliases(
                maximum: connect.version >= .v5_0 ? self.settings.topicAliasMaximum : 0),
            sendQuota: window, resends: [])
        self.incoming.connected(
            sessionPresent: connack.sessionPresent,
            receiveMaximum: connect.version >= .v5_0 ? self.settings.receiveMaximum : .max)
        if connack.sessionPresent {
            self.resume(into: &out)
        } else if connect.version == .v3_1, !connect.cleanStart {
            // A server of MQTT 3.1 does not say whether it has the session. To go on with the exchanges loses nothing
            // if it has, or not; to begin them anew would leave those half done at a server that has.
            self.subscriptions.sessionLost(&self.completions)
            self.resume(into: &out)
        } else {
            self.submitAnew()
        }
        self.pump(now: now, into: &out)
        return connack.sessionPresent ? .resumed : .fresh
    }

    /// Sends PUBREL again at once and has the publishes sent again in their order, as the window allows [MQTT-4.4.0-1]
    /// [MQTT-4.6.0-1].
    private mutating func resume(into out: inout ByteBuffer) {
        let releases = self.inFlight.identifiers(in: .second)
        for id in releases {
            guard case .release(var released)? = self.inFlight[id] else { continue }
            released.wasRepeated = true
            self.inFlight.replace(id, with: .release(released))
            self.connection?.sendQuota -= 1
            self.send(.pubrel, Acknowledgement(id), into: &out)
        }
        self.connection?.resends = self.inFlight.identifiers(in: .first).reversed()
    }

    /// The server knows nothing any more: what it had not acknowledged goes back to the head of the outbox. A QoS 2
    /// message whose PUBREC had come was in the server's hands [MQTT-4.3.3-4], who may have passed it on then or may have
    /// waited for PUBREL and never will: to send it again might double it, to call it delivered might be a lie.
    private mutating func submitAnew() {
        for id in self.inFlight.identifiers(in: .second) {
            guard case .release(let released)? = self.inFlight.remove(id) else { continue }
            self.complete(released.request, .abandoned(.sessionLost))
        }
        for id in self.inFlight.identifiers(in: .first).reversed() {
            guard case .publish(let sent)? = self.inFlight.remove(id) else { continue }
            self.outbox.prepend(
                Outbox.Entry(
                    request: sent.request, message: sent.message, expiresAt: sent.expiresAt, wasSent: true))
        }
        self.subscriptions.sessionLost(&self.completions)
    }

    /// The connection is gone, by whatever cause.
    package mutating func connectionLost() {
        guard self.connection != nil else { return }
        self.connection = nil
        self.incoming.connectionLost()
        var underWay: [UInt32] = []
        for id in self.inFlight.identifiers(in: .first) {
            switch self.inFlight[id] {
            case .publish(var sent)?:
                sent.isOnWire = false
                self.inFlight.replace(id, with: .publish(sent))
            case .subscribe(let identifier)?, .unsubscribe(let identifier)?:
                _ = self.inFlight.remove(id)
                underWay.append(identifier)
            case .release?, nil: break
            }
        }
        self.subscriptions.connectionLost(underWay: underWay, &self.completions)
    }

    /// What was left when the session ended.
    package struct Remains: Equatable, Sendable {
        /// Messages that were never sent.
        package var notSent = 0
        /// Messages that were sent and not fully acknowledged.
        package var unknown = 0
    }

    /// What would be left if the session ended now.
    package var remains: Remains {
        let unacknowledged = self.inFlight.identifiers(in: .first).count { id in
            if case .publish? = self.inFlight[id] { true } else { false }
        }
        return Remains(
            notSent: self.outbox.count - self.outbox.countSent,
            unknown: unacknowledged + self.inFlight.identifiers(in: .second).count + self.outbox.countSent)
    }

    /// The session ends for good: everything that waits completes, and nothing is accepted any more.
    package mutating func end() {
        self.subscriptions.end(&self.completions)
        self.connectionLost()
        self.hasEnded = true
        for lane in [InFlightTable<Exchange>.Lane.second, .first] {
            for id in self.inFlight.identifiers(in: lane) {
                switch self.inFlight.remove(id) {
                case .publish(let sent)?:
                    self.complete(sent.request, .sessionEnded(mayHaveBeenSent: true))
                case .release(let released)?:
                    self.complete(released.request, .sessionEnded(mayHaveBeenSent: true))
                case .subscribe?, .unsubscribe?, nil: break
                }
            }
        }
        while let entry = self.outbox.first() {
            self.outbox.removeFirst()
            self.complete(entry.request, .sessionEnded(mayHaveBeenSent: entry.wasSent))
        }
    }
}
