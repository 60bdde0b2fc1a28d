extension MQTTMessage {
    /// The name of the user property that marks a reply as an error; its value says what went wrong.
    public static let replyErrorProperty = "error"

    /// What went wrong, if the message is a reply by which a responder reports an error.
    public var replyError: String? { self.properties[Self.replyErrorProperty] }
}
