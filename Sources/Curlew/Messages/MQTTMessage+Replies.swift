extension MQTTMessage {
    /// The name of the user property that marks a reply as an error; its value describes the error.
    public static let replyErrorProperty = "error"

    /// The error description, if the message is an error reply of a responder.
    public var replyError: String? { self.properties[Self.replyErrorProperty] }
}
