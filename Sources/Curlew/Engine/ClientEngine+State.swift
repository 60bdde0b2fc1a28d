import CurlewCore
import CurlewTransport
import NIOCore

extension ClientEngine {
    /// What the engine's lock guards.
    struct State {
        /// The protocol's state, which outlives connections.
        var session: ClientSession
        /// Packets on their way from the session to the connection.
        var output: OutgoingBuffer
        var connection = CurrentConnection()
        var life: ClientLife
        var waiters = Waiters()
        var receivers: Receivers
        var tally = ClientTally()

        init(_ configuration: MQTTConfiguration, clientIdentifier: String) {
            self.session = ClientSession(configuration.sessionSettings)
            self.output = OutgoingBuffer(highWaterMark: configuration.queues.unsentBytes)
            self.life = ClientLife(clientIdentifier: clientIdentifier)
            self.receivers = Receivers(configuration.queues.unclaimed.bounds)
        }

        /// Collects who is to be resumed for what the session has completed.
        ///
        /// - Parameter now: Present where a read is handled: the time of an acknowledgement.
        mutating func takeResumptions(_ now: Timestamp? = nil) -> Resumptions {
            var resumptions = Resumptions()
            if self.life.drainWaiterCount > 0, self.session.isDrained {
                resumptions.drained = self.life.takeDrainWaiters()
            }
            guard self.session.hasCompletions else { return resumptions }
            for completion in self.session.takeCompletions() {
                self.tally.completed(completion.request, at: now)
                let result = Waiters.Result.completed(completion.outcome)
                if let target = self.waiters.finish(completion.request, result) {
                    resumptions.finished.append((target, result))
                }
            }
            return resumptions
        }

        /// Subscribers that the server has refused after the loss of a session.
        mutating func takeLostReceivers() -> [LostReceiver] {
            self.session.takeLostSubscribers().flatMap { lost in
                lost.subscribers.compactMap { id in
                    self.receivers[id].map { LostReceiver(receiver: $0, outcome: lost.outcome) }
                }
            }
        }
    }

    /// Who is to be told something once the lock is released.
    struct Resumptions {
        /// Whose requests have ended, and how.
        var finished: [(Waiters.Target, Waiters.Result)] = []
        /// Calls of `disconnect()` that waited until nothing was left to send.
        var drained: [OneShot<Void>] = []

        func resume() {
            for (target, result) in self.finished { target.resume(with: result) }
            for oneShot in self.drained { oneShot.set(()) }
        }
    }

    /// A subscriber that has lost its filter.
    struct LostReceiver {
        let receiver: any MessageReceiver
        let outcome: Completion.Outcome
    }
}

/// The connection in use, and what is known of it and of its server.
struct CurrentConnection {
    /// Present from the end of the handshake to the end of the connection.
    private(set) var bound: NIOLoopBound<ClientConnection>?
    /// How its server has broken the protocol so far.
    private var deviations: Set<ClientSession.Deviation> = []
    /// Calls that wait for the end of a re-authentication.
    var reauthentications: [OneShot<MQTTError?>] = []
    /// Whether some server has sent a packet that was too large although it was told not to.
    var leavesOutLargePublishes = false

    func isCurrent(_ connection: ClientConnection) -> Bool { self.bound?.value === connection }

    mutating func opened(_ connection: NIOLoopBound<ClientConnection>) {
        self.bound = connection
        self.deviations = []
    }

    mutating func lost() { self.bound = nil }

    /// Returns whether the server of this connection has not done it before.
    mutating func note(_ deviation: ClientSession.Deviation) -> Bool { self.deviations.insert(deviation).inserted }
}

extension MQTTConfiguration {
    /// What the session needs to know of the configuration.
    fileprivate var sessionSettings: ClientSession.Settings {
        var settings = ClientSession.Settings()
        // Servers are told `session.receiveMaximum`, and forgiven when they send more: mosquitto 2.0.11 does so at QoS 1, and
        // to disconnect it for that would mean to disconnect it for ever. What they send is bounded by 65,535 packet
        // identifiers and by the queues of the subscriptions.
        settings.receiveMaximum = .max
        // Half-done exchanges of an earlier run, which such a session may have, must not meet new ones.
        if !self.session.cleanStart {
            settings.firstPacketID = PacketID(.random(in: 1...UInt16.max))
            settings.firstSubscriptionIdentifier = .random(in: 1...0x0FFF_FFFF)
        }
        settings.topicAliasMaximum = UInt16(clamping: self.session.topicAliasMaximum)
        settings.outgoingTopicAliasMaximum = self.session.usesTopicAliases ? 1024 : 0
        settings.highWaterMark = self.queues.unsentBytes
        settings.outboxCount = self.queues.outboxCount
        settings.outboxBytes = self.queues.outboxBytes
        settings.subscribeUserProperties = self.packetUserProperties.subscribe
        settings.unsubscribeUserProperties = self.packetUserProperties.unsubscribe
        return settings
    }
}

extension MQTTConfiguration.UnclaimedQueue {
    fileprivate var bounds: UnclaimedMessages<MQTTMessage>.Bounds {
        .init(count: self.count, bytes: self.bytes, time: self.time)
    }
}
