# frozen_string_literal: true

module Lampejo
  # The document that an exception is reported as: `errorType` is `Function<Class>` or `Init<Class>`.
  class Failure
    OURS = "#{File.dirname(__dir__)}/"
    MOST_FRAMES = 100
    # What the Runtime API is told the name of; all others are exceptions of the user's.
    NAMED = %w[
      ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit
      SystemStackError
    ].freeze

    def initialize(error, stage)
      @error = error
      @stage = stage
    end

    # For the Runtime API's header.
    def type
      NAMED.include?(@error.class.to_s) ? "#{@stage}<#{@error.class}>" : 'Function<UserException>'
    end

    def document
      {
        errorMessage: utf8(@error.message),
        errorType: "#{@stage}<#{@error.class}>",
        stackTrace: frames.first(MOST_FRAMES).map { |frame| utf8(frame) }
      }
    end

    private

    # Those of the function: not those that led to it.
    def frames
      (@error.backtrace || []).reject { |frame| frame.start_with?(OURS, '<internal:') }
    end

    def utf8(text)
      text.to_s.encode('UTF-8', invalid: :replace, undef: :replace).scrub
    end
  end
end
