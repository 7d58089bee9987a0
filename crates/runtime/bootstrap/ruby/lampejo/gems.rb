# frozen_string_literal: true

# RubyGems takes longer to load than the interpreter and all else here together. It is loaded at once
# if the function or a layer brings gems, since those go before the standard library's; else when it
# is first asked for.

module Lampejo
  # Makes `require` load RubyGems if nothing else has what is required, and finish `Logger`.
  module Gems
    module_function

    def set_up
      if ENV.fetch('GEM_PATH', '').split(':').any? { |folder| File.directory?(folder) }
        require 'rubygems'
      else
        Object.autoload(:Gem, 'rubygems')
      end
      # Lambda's runtime has it loaded; here it waits for whoever names it.
      Object.autoload(:Logger, 'logger')
      watch_require
    end

    def loaded?
      !Object.autoload?(:Gem)
    end

    def watch_require
      Kernel.module_eval do
        bare = instance_method(:require)
        define_method(:require) do |path|
          found = begin
            bare.bind_call(self, path)
          rescue LoadError
            raise if Gems.loaded?
            Object.const_get(:Gem) # Which loads it.
            require(path)
          end
          # Unless it is a file of the function's.
          require_relative 'logger' if path == 'logger' && defined?(::Logger::Formatter)
          found
        end
        private :require
      end
    end
  end
end

# Some programs ask for a version before they require it.
def gem(...)
  Object.const_get(:Gem) # Which loads it, and that defines this method anew.
  Kernel.instance_method(:gem).bind_call(self, ...)
end
private :gem

Lampejo::Gems.set_up
