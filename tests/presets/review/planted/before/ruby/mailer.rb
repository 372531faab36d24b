class Mailer
  def deliver(mail)
    mail.send
  end
end
