import CurlewCore
import Synchronization

/// Authorizes clients by a file in the syntax of mosquitto's access control lists.
///
/// ```
/// # Clients without a user name
/// topic read public/#
///
/// user kitchen
/// topic readwrite home/kitchen/#
/// topic deny home/kitchen/door
///
/// # Every client; %c is its identifier, %u its user name
/// pattern readwrite devices/%u/#
/// ```
///
/// The rules before the first `user` apply only to clients without a user name. Among the rules of a user, one that
/// denies overrides those that allow. If none of them matches a topic, the patterns decide in the same way. Anything
/// that no rule allows is denied. A subscription is refused if no rule allows any topic that matches it; otherwise,
/// each message is checked.
public final class MQTTAccessFile: MQTTBrokerAuthorizer {
    /// Guards the current rules.
    private let rules: Mutex<Rules>
    private let file: SettingsFile?

    /// Immutable rules: reading them costs no more than a reference count.
    private final class Rules: Sendable {
        let value: AccessRules

        init(_ value: AccessRules) { self.value = value }
    }

    /// Reads a file.
    ///
    /// - Parameter path: The path of the file.
    /// - Throws: ``MQTTBrokerError`` if the file cannot be read or a line is invalid; the message names the line and
    ///   says what to do.
    public init(path: String) async throws {
        let file = SettingsFile(path: path, kind: "access file")
        self.file = file
        self.rules = Mutex(try await Self.load(file))
    }

    /// Creates rules from a text instead of a file.
    ///
    /// - Parameter text: The rules, in the syntax of the file.
    /// - Throws: ``MQTTBrokerError`` if a line is invalid; the message names the line and says what to do.
    public init(text: String) throws(MQTTBrokerError) {
        self.file = nil
        self.rules = Mutex(Rules(try AccessRules(text, name: "The access rules")))
    }

    /// The first rule that refers to user names, as the beginning of a sentence that says where it is; `nil` if there
    /// is none.
    package var usernameRule: String? {
        self.rules.withLock { $0 }.value.usernameRule(in: self.file?.name ?? "The access rules")
    }

    /// Rejects rules that refer to user names, for a listener whose clients have none.
    func checkUsernames(listenerWithoutUsernames listener: String) throws(MQTTBrokerError) {
        guard let usernameRule else { return }
        throw .neverApplies(usernameRule, listener)
    }

    private static func load(_ file: SettingsFile) async throws(MQTTBrokerError) -> Rules {
        try await file.load { text throws(MQTTBrokerError) in Rules(try AccessRules(text, name: file.name)) }
    }

    /// Decides by the rules; never abstains.
    public func authorize(_ client: MQTTBrokerClient, _ action: MQTTBrokerAction) -> MQTTAuthorizationDecision {
        let rules = self.rules.withLock { $0 }.value
        let isAllowed =
            switch action {
            case .publish(let topic): rules.allows(client, .write, of: topic)
            case .receive(let topic): rules.allows(client, .read, of: topic)
            case .subscribe(let filter): rules.allows(client, subscribing: filter)
            }
        return isAllowed ? .allow : .deny
    }

    /// `true`: some topics that match an allowed subscription may be denied.
    public var checksReceiving: Bool { true }

    /// Reads the file again; does nothing if there is none.
    ///
    /// - Throws: ``MQTTBrokerError`` as in ``init(path:)``; the earlier rules then stay in force.
    public func reload() async throws {
        try await self.reload(listenerWithoutUsernames: nil)
    }

    /// Reads the file again.
    ///
    /// - Parameter listener: A listener whose clients have no user names, so that rules that refer to them are an
    ///   error.
    func reload(listenerWithoutUsernames listener: String?) async throws(MQTTBrokerError) {
        guard let file else { return }
        let rules = try await Self.load(file)
        if let listener, let rule = rules.value.usernameRule(in: file.name) { throw .neverApplies(rule, listener) }
        self.rules.withLock { $0 = rules }
    }
}

extension AccessRules {
    /// - Parameter name: The name of the file at the beginning of error messages.
    fileprivate func usernameRule(in name: String) -> String? {
        self.firstOfUsernames.map { "\(name), line \($0.line): '\($0.text.printable)'" }
    }
}

extension MQTTBrokerError {
    fileprivate static func neverApplies(_ rule: String, _ listener: String) -> Self {
        Self(
            .invalidConfiguration,
            "\(rule) never applies, since nobody verifies user names at the listener \(listener); give a password file, or trust "
                + "unverified user names.")
    }
}
