import CurlewCore
import Synchronization

/// Says who may publish and receive what, by a file in the syntax of mosquitto's access lists.
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
/// The rules before the first `user` are for clients without a user name alone. Of the rules of one user, one that denies wins over those that
/// allow; if none is about a topic, the patterns decide in the same way; what nothing allows is denied. A subscription is refused when
/// no rule lets anything through that matches it; otherwise each message is decided about.
public final class MQTTAccessFile: MQTTBrokerAuthorizer {
    /// Guards which rules are in force.
    private let rules: Mutex<Rules>
    private let file: SettingsFile?

    /// Rules that never change: taking them costs no more than counting a reference.
    private final class Rules: Sendable {
        let value: AccessRules

        init(_ value: AccessRules) { self.value = value }
    }

    /// Reads a file.
    ///
    /// - Parameter path: Where it is.
    /// - Throws: ``MQTTBrokerError`` when it cannot be read or a line is not understood; it says which line and what to do.
    public init(path: String) async throws(MQTTBrokerError) {
        let file = SettingsFile(path: path, kind: "access file")
        self.file = file
        self.rules = Mutex(try await Self.load(file))
    }

    /// Takes rules from a text, where there is no file.
    ///
    /// - Parameter text: What would stand in the file.
    /// - Throws: ``MQTTBrokerError`` when a line is not understood; it says which line and what to do.
    public init(text: String) throws(MQTTBrokerError) {
        self.file = nil
        self.rules = Mutex(Rules(try AccessRules(text, name: "The access rules")))
    }

    /// The first rule that is about user names, as the beginning of a sentence that says where it stands; `nil` if there is none.
    package var usernameRule: String? {
        self.rules.withLock { $0 }.value.usernameRule(in: self.file?.name ?? "The access rules")
    }

    /// Refuses rules that are about user names, for a listener at which no client has one.
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

    /// `true`: of what matches a subscription, some may be denied.
    public var checksReceiving: Bool { true }

    /// Reads the file anew; does nothing where there is none.
    ///
    /// - Throws: ``MQTTBrokerError`` as at the beginning; the rules that were read before stay in force.
    public func reload() async throws(MQTTBrokerError) {
        try await self.reload(listenerWithoutUsernames: nil)
    }

    /// Reads the file again.
    ///
    /// - Parameter listener: A listener at which no client has a user name, so that rules about them are an error.
    func reload(listenerWithoutUsernames listener: String?) async throws(MQTTBrokerError) {
        guard let file else { return }
        let rules = try await Self.load(file)
        if let listener, let rule = rules.value.usernameRule(in: file.name) { throw .neverApplies(rule, listener) }
        self.rules.withLock { $0 = rules }
    }
}

extension AccessRules {
    /// - Parameter name: What the file is called, at the beginning of a sentence.
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
