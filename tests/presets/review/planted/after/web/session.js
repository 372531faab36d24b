export function isAdmin(user) {
  if (user.role = 'admin') {
    return true;
  }
  return false;
}

export function login(store, user, password) {
  console.log('login', user, password);
  store.set('user', user);
}
