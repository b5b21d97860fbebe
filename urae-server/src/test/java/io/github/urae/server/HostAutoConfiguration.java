package io.github.urae.server;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.springframework.boot.autoconfigure.AutoConfiguration;
import org.springframework.context.ApplicationContext;
import org.springframework.context.ApplicationListener;
import org.springframework.context.annotation.Bean;
import org.springframework.context.event.ContextRefreshedEvent;

/** Lies on the class path of these tests as that of an application around the server does. */
@AutoConfiguration
public class HostAutoConfiguration {

  /** Contexts that took it. */
  static final List<ApplicationContext> TAKEN_BY = new CopyOnWriteArrayList<>();

  /** Contexts that the listener in {@code spring.factories} was told of. */
  static final List<ApplicationContext> HEARD_OF = new CopyOnWriteArrayList<>();

  @Bean
  Object hostBean(ApplicationContext context) {
    TAKEN_BY.add(context);
    return "host";
  }

  /** Named in {@code spring.factories}. */
  public static final class Listener implements ApplicationListener<ContextRefreshedEvent> {
    @Override
    public void onApplicationEvent(ContextRefreshedEvent event) {
      HEARD_OF.add(event.getApplicationContext());
    }
  }
}
