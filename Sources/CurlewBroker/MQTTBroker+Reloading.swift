import CurlewTransport
import NIOCore

extension MQTTBroker {
    /// Reads the files of certificates, keys, authenticators and authorizers again, and applies them to connected
    /// clients and existing sessions.
    ///
    /// A client is disconnected with *administrative action* if it could no longer connect as it did: its user was
    /// removed, or its password, pre-shared key or certificate authority has changed. Subscriptions that are no longer
    /// allowed end, and messages that a client may no longer receive are dropped. Sessions of removed users end, unless
    /// ``MQTTBrokerConfiguration/Behavior/endsSessionsOfRemovedUsers`` is off.
    ///
    /// - Throws: One ``MQTTBrokerError`` that names every file that cannot be read or understood. Their earlier content
    ///   stays in force; all other files are applied.
    public func reload() async throws {
        var faults: [MQTTBrokerError.Sentence] = []
        var causes: [any Error] = []
        func note(_ error: any Error) {
            faults.append(.text("\(error)"))
            causes.append(error)
        }
        for bound in self.sockets {
            do throws(TransportError) { try bound.socket.reloadCertificates() } catch {
                // A listener may have two sockets, with the same files.
                guard !faults.contains(where: { $0.listener == bound.listener }) else { continue }
                faults.append(.listener(bound.listener, error))
                causes.append(error)
            }
        }
        self.warnAboutCertificates()
        var reloaded: Set<ObjectIdentifier> = []
        for rules in self.rules {
            for authenticator in rules.authenticators where Self.isFirst(authenticator, &reloaded) {
                do { try await authenticator.reload() } catch { note(error) }
            }
            for authenticator in rules.enhancedAuthenticators where Self.isFirst(authenticator, &reloaded) {
                do { try await authenticator.reload() } catch { note(error) }
            }
            for authorizer in rules.authorizers where Self.isFirst(authorizer, &reloaded) {
                do { try await self.reload(authorizer) } catch { note(error) }
            }
        }
        try await self.recheckAll()
        guard let first = causes.first else { return }
        throw MQTTBrokerError(.invalidConfiguration, faults, cause: first)
    }

    private func reload(_ authorizer: any MQTTBrokerAuthorizer) async throws {
        guard let file = authorizer as? MQTTAccessFile else { return try await authorizer.reload() }
        let listener = self.rules.first { rules in
            !rules.hasUsernames && rules.authorizers.contains { $0 as? MQTTAccessFile === file }
        }
        try await file.reload(listenerWithoutUsernames: listener?.name)
    }

    /// Checks all rights by the rules that are in force now.
    private func recheckAll() async throws {
        guard let first = self.workers.all.first else { return }
        self.engine.rulesChanged()
        // Once each loop has done this, no message is routed by the earlier rules any more.
        for worker in self.workers.all {
            try await worker.eventLoop.flatSubmit {
                let checked = worker.eventLoop.makePromise(of: Void.self)
                worker.forEachConnection {
                    $0.recheckCredentials()
                } then: {
                    checked.succeed()
                }
                return checked.futureResult
            }.get()
        }
        try await first.eventLoop.flatSubmit { [engine] in
            let checked = first.eventLoop.makePromise(of: Void.self)
            engine.recheckSessions(on: first) { checked.succeed() }
            return checked.futureResult
        }.get()
    }

    private static func isFirst(_ hook: Any, _ seen: inout Set<ObjectIdentifier>) -> Bool {
        guard type(of: hook) is AnyClass else { return true }
        return seen.insert(ObjectIdentifier(hook as AnyObject)).inserted
    }
}
