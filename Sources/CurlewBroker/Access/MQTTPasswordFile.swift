#if Accounts
import CurlewCore
import CurlewTransport
public import Logging
import NIOCore
import Synchronization

/// Lets in who knows a password, by a file as `curlew passwd` and mosquitto_passwd make it: in each line a user name, a colon, and the
/// hash of a password.
///
/// A client that gives no user name is left to the next authenticator; one that gives a wrong name or password is refused with
/// *bad user name or password*, after the same time in both cases. Passwords are checked away from event loops, by at most half of
/// the processors, and the clients' addresses take turns. Where a thousand clients of one address wait, its next ones are refused with
/// *server busy*.
public final class MQTTPasswordFile: MQTTBrokerAuthenticator {
    /// Guards which users are known.
    private let table: Mutex<PasswordTable>
    private let file: SettingsFile?
    private let logger: Logger
    private let work: WorkQueue

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: Where it is.
    ///   - logger: Where it is said that everybody on the machine can read the file. Default: nowhere.
    /// - Throws: ``MQTTBrokerError`` when it cannot be read or a line is not understood; it says which line and what to do.
    public init(
        path: String, logger: Logger = Logger(label: "curlew.broker", factory: { _ in SwiftLogNoOpLogHandler() })
    ) async throws(MQTTBrokerError) {
        let file = SettingsFile(path: path, kind: "password file")
        self.file = file
        self.logger = logger
        self.work = .passwords
        self.table = Mutex(try await Self.load(file, logger))
    }

    /// Takes users from a text, where there is no file.
    ///
    /// - Parameter text: What would stand in the file.
    /// - Throws: ``MQTTBrokerError`` when a line is not understood; it says which line and what to do.
    public convenience init(text: String) throws(MQTTBrokerError) {
        try self.init(text: text, work: .passwords)
    }

    init(text: String, work: WorkQueue) throws(MQTTBrokerError) {
        self.file = nil
        self.logger = Logger(label: "curlew.broker", factory: { _ in SwiftLogNoOpLogHandler() })
        self.work = work
        self.table = Mutex(try PasswordTable(text, name: "The passwords"))
    }

    private static func load(_ file: SettingsFile, _ logger: Logger) async throws(MQTTBrokerError) -> PasswordTable {
        try await file.load { text throws(MQTTBrokerError) in
            let table = try PasswordTable(text, name: file.name)
            if Files.isReadableByEveryone(file.path) {
                logger.warning("\(file.name) can be read by everybody on this machine; run 'chmod o-r' on it.")
            }
            return table
        }
    }

    /// Decides by the user name and the password that the client gives.
    ///
    /// - Throws: `CancellationError` when the task is cancelled before a processor was free.
    public func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        guard let username = attempt.client.username else { return .abstain }
        let table = self.table.withLock { $0 }
        guard let (hash, isKnown) = table.hash(of: ExactText(username)) else {
            return .deny(.badUserNameOrPassword)
        }
        // An empty password lets nobody in, even if that is what was hashed. Hashing it all the same keeps the time from telling.
        let password = attempt.password.map { Array($0.readableBytesView) } ?? []
        do throws(WorkQueue.Refusal) {
            let source = NetworkSource(peer: attempt.client.address).description
            let isRight = try await self.work.run(for: source) { hash.verifies(password) }
            return isRight && isKnown && !password.isEmpty ? .allow : .deny(.badUserNameOrPassword)
        } catch {
            switch error {
            case .full: return .deny(.serverBusy)
            case .cancelled: throw CancellationError()
            }
        }
    }

    /// Tells whether the file has the user, and with which hash.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus {
        guard let username = client.username else { return .notTracked }
        guard let (hash, isKnown) = self.table.withLock({ $0 }).hash(of: ExactText(username)), isKnown else {
            return .unknownUser
        }
        return .known(version: hash.salt + hash.hash)
    }

    /// Reads the file anew; does nothing where there is none.
    ///
    /// - Throws: ``MQTTBrokerError`` as at the beginning; the users that were read before stay in force.
    public func reload() async throws(MQTTBrokerError) {
        guard let file else { return }
        let table = try await Self.load(file, self.logger)
        self.table.withLock { $0 = table }
    }
}
#endif
