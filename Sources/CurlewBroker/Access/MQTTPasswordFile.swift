#if Accounts
import CurlewCore
import CurlewTransport
public import Logging
import NIOCore
import Synchronization

/// Authenticates clients by a password file of `curlew passwd` or mosquitto_passwd: each line has a user name, a colon,
/// and the hash of a password.
///
/// A client without a user name is left to the next authenticator. A wrong name or password is refused with *bad user
/// name or password*, after the same time in both cases. Passwords are not checked on event loops, at most half of the
/// processors check them, and the addresses of clients take turns. If a thousand clients of one address wait, further
/// ones are refused with *server busy*.
public final class MQTTPasswordFile: MQTTBrokerAuthenticator {
    /// Guards the current users.
    private let table: Mutex<PasswordTable>
    private let file: SettingsFile?
    private let logger: Logger
    private let work: WorkQueue

    /// Reads a file.
    ///
    /// - Parameters:
    ///   - path: The path of the file.
    ///   - logger: Logs a warning if all users of the machine can read the file. Default: none.
    /// - Throws: ``MQTTBrokerError`` if the file cannot be read or a line is invalid; the message names the line and
    ///   says what to do.
    public init(path: String, logger: Logger? = nil) async throws {
        let logger = logger ?? Logger(label: "curlew.broker", factory: { _ in SwiftLogNoOpLogHandler() })
        let file = SettingsFile(path: path, kind: "password file")
        self.file = file
        self.logger = logger
        self.work = .passwords
        self.table = Mutex(try await Self.load(file, logger))
    }

    /// Creates users from a text instead of a file.
    ///
    /// - Parameter text: The users, in the syntax of the file.
    /// - Throws: ``MQTTBrokerError`` if a line is invalid; the message names the line and says what to do.
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

    /// Decides by the user name and password of the client.
    ///
    /// - Throws: `CancellationError` if the task is cancelled while it waits for a processor.
    public func authenticate(_ attempt: MQTTConnectionAttempt) async throws -> MQTTAuthenticationDecision {
        guard let username = attempt.client.username else { return .abstain }
        let table = self.table.withLock { $0 }
        guard let (hash, isKnown) = table.hash(of: ExactText(username)) else {
            return .deny(.badUserNameOrPassword)
        }
        // An empty password is never accepted, even if it was hashed. It is checked anyway, so that the time reveals
        // nothing.
        let password = attempt.password.map { Array($0.bytes.readableBytesView) } ?? []
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

    /// Returns whether the file has the user, and a digest of its hash.
    public func credentialStatus(of client: MQTTBrokerClient) -> MQTTCredentialStatus {
        guard let username = client.username else { return .notTracked }
        guard let (hash, isKnown) = self.table.withLock({ $0 }).hash(of: ExactText(username)), isKnown else {
            return .unknownUser
        }
        return .known(version: hash.salt + hash.hash)
    }

    /// Reads the file again; does nothing if there is none.
    ///
    /// - Throws: ``MQTTBrokerError`` as in ``init(path:logger:)``; the earlier users then stay in force.
    public func reload() async throws {
        guard let file else { return }
        let table = try await Self.load(file, self.logger)
        self.table.withLock { $0 = table }
    }
}
#endif
