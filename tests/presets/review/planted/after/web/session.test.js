import { isAdmin } from './session';

describe('session', () => {
  it.only('knows an admin', () => {
    expect(isAdmin({ role: 'admin' })).toBe(true);
  });

  it('knows a guest', () => {
    expect(isAdmin({ role: 'guest' })).toBe(false);
  });
});
