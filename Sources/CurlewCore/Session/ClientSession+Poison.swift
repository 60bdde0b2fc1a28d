package import NIOCore

// Packets on which the server ends the connection each time: found, and given up.
extension ClientSession {
    /// When to call ``poisonDeadlineReached(now:into:)``; `nil` where nothing is held back.
    package var poisonDeadline: Timestamp? { self.poison.deadline }

    /// The connection has lived long enough without the packet that is accused, or for all that was held back.
    package mutating func poisonDeadlineReached(now: Timestamp, into out: inout ByteBuffer) {
        if let verdict = self.poison.deadlineReached(now: now) {
            self.giveUp(verdict, now: now, into: &out)
        } else {
            self.pump(now: now, into: &out)
        }
    }

    func ping(into out: inout ByteBuffer) {
        guard let version = self.connection?.version else { return }
        // A packet without a content can always be encoded.
        try? Packet.pingreq.encode(into: &out, version: version)
    }

    /// Whether a publish, or PUBREL, of an earlier connection may be sent again now.
    func mayResend(_ id: PacketID) -> Bool {
        guard self.poison.isIsolating, let exchange = self.inFlight[id], !exchange.isGivenUp else { return true }
        return self.poison.maySend(exchange.item(id))
    }

    mutating func noteSent(_ exchange: Exchange, _ id: PacketID) {
        if self.poison.isIsolating { self.poison.sent(exchange.item(id)) }
    }

    /// PUBREC has answered PUBLISH, and PUBREL was sent, which is to be answered as well.
    mutating func noteReleased(_ sent: Sent, _ id: PacketID) {
        guard self.poison.isActive else { return }
        self.poison.answered(Exchange.publish(sent).item(id))
        self.noteSent(.publish(sent), id)
    }

    /// Sends a PUBREL of an earlier connection again.
    mutating func release(_ id: PacketID, into out: inout ByteBuffer) {
        guard case .release(var released)? = self.inFlight[id], !released.isGivenUp, !released.isOnWire else { return }
        released.isOnWire = true
        self.inFlight.replace(id, with: .release(released))
        self.connection?.sendQuota -= 1
        self.send(.pubrel, Acknowledgement(id), into: &out)
        self.noteSent(.release(released), id)
    }

    /// A packet was found to break connections: it is never sent again, and the others are.
    mutating func giveUp(_ verdict: PoisonDetector.Verdict, now: Timestamp, into out: inout ByteBuffer) {
        switch verdict.item {
        case .subscribe(let identifier):
            guard let filter = self.subscriptions.filter(identifier, toSubscribe: true) else { break }
            let rejection = self.rejection(verdict.connections, .subscription(filter))
            self.subscriptions.giveUpSubscribing(identifier, rejection, &self.completions, &self.lostSubscribers)
        case .unsubscribe(let identifier):
            guard let filter = self.subscriptions.filter(identifier, toSubscribe: false) else { break }
            let rejection = self.rejection(verdict.connections, .unsubscription(filter))
            self.subscriptions.giveUpUnsubscribing(identifier, rejection, &self.completions)
        case .publish(let request):
            if let message = self.outbox.remove(request) {
                self.complete(request, .abandoned(self.rejection(verdict.connections, .message(message.topic))))
            } else if let id = self.identifier(of: verdict.item) {
                self.giveUp(id, verdict.connections)
            }
        case .exchange(let id):
            if self.inFlight[id]?.item(id) == verdict.item { self.giveUp(id, verdict.connections) }
        }
        self.pump(now: now, into: &out)
    }

    private func identifier(of item: PoisonDetector.Item) -> PacketID? {
        (self.inFlight.identifiers(in: .first) + self.inFlight.identifiers(in: .second)).first { id in
            self.inFlight[id]?.item(id) == item
        }
    }

    /// All that is sent, or sent again, until the server answers.
    var pendingItems: Set<PoisonDetector.Item> {
        var items = Set(self.outbox.requests.map { PoisonDetector.Item.publish($0) })
        for lane in [InFlightTable<Exchange>.Lane.first, .second] {
            for id in self.inFlight.identifiers(in: lane) {
                if let exchange = self.inFlight[id], !exchange.isGivenUp { items.insert(exchange.item(id)) }
            }
        }
        for (identifier, entry) in self.subscriptions.entries {
            items.insert(entry.subscribers.isEmpty ? .unsubscribe(identifier) : .subscribe(identifier))
        }
        return items
    }

    /// The server may have half received the message: the exchange keeps its identifier for as long as the server keeps the
    /// session, and takes no place in the window.
    private mutating func giveUp(_ id: PacketID, _ connections: Int) {
        self.connection?.resends.removeAll { $0 == id }
        let request: RequestID?
        let subject: Rejection.Subject
        switch self.inFlight[id] {
        case .publish(var sent)?:
            request = Swift.exchange(&sent.request, with: nil)
            subject = .message(sent.message.topic)
            sent.isGivenUp = true
            // It is never sent again.
            self.bytesInFlight -= sent.message.byteCount
            sent.message.payload = ByteBuffer()
            sent.message.properties = Properties()
            self.bytesInFlight += sent.message.byteCount
            self.inFlight.replace(id, with: .publish(sent))
        case .release(var released)?:
            request = Swift.exchange(&released.request, with: nil)
            subject = .release
            released.isGivenUp = true
            self.inFlight.replace(id, with: .release(released))
        case .subscribe?, .unsubscribe?, nil: return
        }
        let rejection = self.rejection(connections, subject)
        guard let request else { return }
        self.unawaited += 1
        self.complete(request, .abandoned(rejection))
    }

    private mutating func rejection(_ connections: Int, _ subject: Rejection.Subject) -> Rejection {
        let rejection = Rejection.brokeConnections(connections, subject)
        self.givenUpPackets.append(rejection)
        return rejection
    }
}

extension ClientSession.Exchange {
    /// By what the detector of poison knows it.
    func item(_ id: PacketID) -> PoisonDetector.Item {
        switch self {
        case .publish(let sent): sent.request.map { .publish($0) } ?? .exchange(id)
        case .release(let released): released.request.map { .publish($0) } ?? .exchange(id)
        case .subscribe(let identifier): .subscribe(identifier)
        case .unsubscribe(let identifier): .unsubscribe(identifier)
        }
    }

    /// Whether it was sent on this connection, as far as it tells.
    var isOnWire: Bool {
        switch self {
        case .publish(let sent): sent.isOnWire
        case .release(let released): released.isOnWire && !released.isGivenUp
        case .subscribe, .unsubscribe: true
        }
    }

    var isGivenUp: Bool {
        switch self {
        case .publish(let sent): sent.isGivenUp
        case .release(let released): released.isGivenUp
        case .subscribe, .unsubscribe: false
        }
    }
}
