package import NIOCore

// Connecting, losing the connection, ending.
extension ClientSession {
    /// The effect of a CONNACK that accepts the connection.
    package enum Connected: Equatable {
        /// The session continues: unacknowledged packets have been sent again.
        case resumed
        /// The server had no session, or did not say so: what it may not have has been submitted again.
        case fresh
        /// The server reports a session although CONNECT asked for a new one [MQTT-3.2.2-2].
        case protocolError
    }

    /// The server accepted the connection. `server` identifies it. Packets that can be sent have been appended to
    /// `out`.
    package mutating func connected(
        _ connack: ConnAck, to connect: Connect, server: String, now: Timestamp, into out: inout ByteBuffer
    ) -> Connected {
        guard !(connack.sessionPresent && connect.cleanStart) else { return .protocolError }  // [MQTT-3.2.2-4]
        self.connectionLost()
        self.pace?.connected()
        let limits = ServerLimits(
            connack, version: connect.version, assumedReceiveMaximum: self.settings.maximumInFlight)
        let window = Int(max(1, min(limits.receiveMaximum, self.settings.maximumInFlight ?? .max)))  // [MQTT-4.9.0-1]
        self.connection = Connection(
            version: connect.version, limits: limits,
            publishes: PublishWriter(
                version: connect.version, maximumPacketSize: limits.maximumPacketSize,
                topicAliasMaximum: min(limits.topicAliasMaximum, self.settings.outgoingTopicAliasMaximum)),
            incomingAliases: IncomingTopicAliases(
                maximum: connect.version >= .v5_0 ? self.settings.topicAliasMaximum : 0))
        self.outgoing.connected(window: window)
        let pending = self.poison.isActive ? self.pendingItems : []
        if self.poison.connected(pending: pending, now: now) { self.ping(into: &out) }
        // A server of MQTT 3.1 does not say whether it has the session.
        let isUnsaid = connect.version == .v3_1 && !connect.cleanStart && !connack.sessionPresent
        // Another server may share the session with the last one, or have an older one: it may not know what the last
        // one was told.
        let isOther = connack.sessionPresent && self.server != nil && self.server != server
        self.server = server
        let found: IncomingQoS.Session =
            isUnsaid || isOther ? .uncertain : connack.sessionPresent ? .present : .absent
        self.givenUp.connected()
        // A session that this run began remains known, however often it is resumed.
        if self.found != .absent || found != .present { self.found = found }
        self.incoming.connected(
            found, version: connect.version,
            receiveMaximum: connect.version >= .v5_0 ? self.settings.receiveMaximum : .max)
        if connack.sessionPresent {
            if isOther { self.subscriptions.sessionUncertain() } else { self.subscriptions.sessionResumed() }
            self.resume(atOther: isOther, into: &out)
        } else if isUnsaid {
            // Continuing the exchanges loses nothing whether or not the server has the session. Submitting them again
            // would leave unfinished ones at a server that has it.
            self.subscriptions.sessionLost(&self.completions)
            self.resume(atOther: false, into: &out)
        } else {
            self.resubmit()
        }
        self.pump(now: now, into: &out)
        return connack.sessionPresent ? .resumed : .fresh
    }

    /// Sends PUBREL again at once. The publishes follow in their order, as the window allows [MQTT-4.4.0-1]
    /// [MQTT-4.6.0-1].
    private mutating func resume(atOther isOther: Bool, into out: inout ByteBuffer) {
        for id in self.outgoing.identifiers(in: .released) {
            self.outgoing.update(id) { exchange in
                guard case .release(var released) = exchange else { return }
                released.wasRepeated = !isOther
                exchange = .release(released)
            }
        }
        guard !self.poison.isIsolating else { return }
        while case .release(let id)? = self.outgoing.nextResend() {
            self.send(.pubrel, Acknowledgement(id), into: &out)
            self.outgoing.resent(id)
        }
    }

    /// The server has lost the session: messages that it had not acknowledged go back to the head of the outbox. A QoS
    /// 2 message after PUBREC belonged to the server [MQTT-4.3.3-4], which may have passed it on or may have waited
    /// for PUBREL: sending it again might duplicate it, and its delivery is not certain.
    private mutating func resubmit() {
        let remains = self.outgoing.sessionLost()
        for (id, release) in remains.released { self.finished(id, release.request, .abandoned(.sessionLost)) }
        for exchange in remains.messages.reversed() {
            guard case .publish(let sent) = exchange, let request = sent.request else { continue }
            self.outbox.prepend(
                Outbox.Entry(request: request, message: sent.message, expiresAt: sent.expiresAt, wasSent: true))
        }
        self.unawaited = 0
        self.subscriptions.sessionLost(&self.completions)
    }

    /// Why a connection ended.
    package enum ConnectionEnd: Equatable, Sendable {
        /// The server ended it without giving a reason, or broke the protocol: an unanswered packet may be the cause.
        case byServer
        /// The client or the network ended it, or the server for a reason unrelated to a packet.
        case other
    }

    /// The connection is lost. `now` matters only if the server ended it.
    package mutating func connectionLost(_ end: ConnectionEnd = .other, now: Timestamp = .start) {
        guard self.connection != nil else { return }
        if end == .byServer {
            self.poison.connectionBroken(unanswered: self.unanswered, now: now)
        } else {
            self.poison.connectionLost()
        }
        self.connection = nil
        self.incoming.connectionLost()
        let pending = self.outgoing.connectionLost().compactMap(\.subscription)
        self.subscriptions.connectionLost(pending: pending, &self.completions)
    }

    /// Items that were sent on this connection and not answered.
    private var unanswered: [PoisonDetector.Item] {
        var items: [PoisonDetector.Item] = []
        for lane in [InFlightTable<Exchange>.Lane.released, .unanswered] {
            for id in self.outgoing.identifiers(in: lane) {
                guard let exchange = self.outgoing[id], self.outgoing.status(id)?.position == .sent else { continue }
                items.append(exchange.item(id))
            }
        }
        return items
    }

    /// What the session leaves unfinished at its end.
    package struct Remains: Equatable, Sendable {
        /// Messages that were never sent.
        package var notSent = 0
        /// Messages that were sent and not fully acknowledged.
        package var unknown = 0
    }

    /// What the session would leave unfinished if it ended now.
    package var remains: Remains {
        let unknown = [InFlightTable<Exchange>.Lane.unanswered, .released].reduce(0) { count, lane in
            count + self.outgoing.identifiers(in: lane).count { self.outgoing[$0]?.request != nil }
        }
        return Remains(
            notSent: self.outbox.count - self.outbox.countSent, unknown: unknown + self.outbox.countSent)
    }

    /// The owner ends: all requests complete. Later requests belong to a new beginning, but unfinished exchanges
    /// continue on the next connection that finds the session.
    package mutating func end() {
        self.subscriptions.end(&self.completions)
        self.found = nil
        self.connectionLost()
        self.poison = PoisonDetector()
        self.incoming.end()
        for lane in [InFlightTable<Exchange>.Lane.released, .unanswered] {
            for id in self.outgoing.identifiers(in: lane) {
                var request: RequestID?
                self.outgoing.update(id) { request = $0.takeRequest() }
                if let request { self.complete(request, .sessionEnded(mayHaveBeenSent: true)) }
            }
        }
        self.unawaited = self.outgoing.count
        while let entry = self.outbox.first() {
            self.outbox.removeFirst()
            self.complete(entry.request, .sessionEnded(mayHaveBeenSent: entry.wasSent))
        }
    }
}

extension ClientSession.Exchange: OutgoingExchange {
    var byteCount: Int {
        if case .publish(let sent) = self { sent.message.byteCount } else { 0 }
    }

    var payloadByteCount: Int {
        if case .publish(let sent) = self { sent.message.payload.readableBytes } else { 0 }
    }

    func released(by reasonCode: ReasonCode) -> Self {
        .release(ClientSession.Released(request: self.request, reasonCode: reasonCode))
    }

    /// The publish request that waits for the end of the exchange, if there is one.
    var request: RequestID? {
        switch self {
        case .publish(let sent): sent.request
        case .release(let released): released.request
        case .subscribe, .unsubscribe: nil
        }
    }

    /// The subscription identifier of a SUBSCRIBE or UNSUBSCRIBE.
    var subscription: UInt32? {
        switch self {
        case .subscribe(let identifier), .unsubscribe(let identifier): identifier
        case .publish, .release: nil
        }
    }

    /// Removes the request from the exchange and returns it.
    mutating func takeRequest() -> RequestID? {
        let request = self.request
        switch self {
        case .publish(var sent):
            sent.request = nil
            self = .publish(sent)
        case .release(var released):
            released.request = nil
            self = .release(released)
        case .subscribe, .unsubscribe: break
        }
        return request
    }
}
