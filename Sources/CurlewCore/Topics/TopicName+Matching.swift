extension TopicName {
    /// Whether a topic filter matches this name (MQTT 5.0 section 4.7), as in `message.topic.matches("humidity/#")`.
    ///
    /// For a filter that is used often, make a ``TopicFilter`` once.
    ///
    /// - Parameter filter: The topic filter. A text that is not a valid filter matches nothing.
    public func matches(_ filter: String) -> Bool { (try? TopicFilter(filter))?.matches(self) ?? false }
}
